// Rows of the variables of a call frame, and of the value of an expression with its parts.

import { DEBUG_REGISTERS } from "../../../../machine/hypervisor/interface.ts";
import type { Vcpu } from "../../../../machine/hypervisor/inspect.ts";
import { formatId, vcpuId, vcpuName } from "../../../../model/queries/ids.ts";
import type { RowOf } from "../../../../model/queries/table.ts";
import type { VARIABLES } from "../../../../model/queries/tables.ts";
import { evaluate, ExpressionError, type ExpressionScope } from "../../../../inside/symbols/guest-expressions.ts";
import { FrameValues, type GuestValue, type NamedValue } from "../../../../inside/symbols/guest-values.ts";
import type { SymbolTable } from "../../../../inside/symbols/symbol-table.ts";
import { guestReader, type ReadGuest, readNumber } from "../../../../inside/symbols/unwind.ts";
import { nameIn } from "../../../../inside/symbols/vm-symbols.ts";
import { QueryError, type View } from "../inspected.ts";
import { framesOf, type ShownFrame, vmOfVcpu } from "./read-stack.ts";
import { hex } from "../../../../kit/support/text/number-text.ts";
import { problemOf } from "../../../../kit/support/problem.ts";
import { hint } from "../../../../kit/support/text/hint.ts";
import { way } from "../../../../kit/support/text/way-out.ts";

const STACK_POINTER = 31;
/** Bytes of what an expression without a type reads. */
const WORD = 8;

type VariableRow = RowOf<typeof VARIABLES>;

/**
 * The variables of a frame; with an expression, its value and its parts.
 * @throws QueryError
 */
export function readVariables(view: View, vcpu: Vcpu, number: number, expression: string | undefined): VariableRow[] {
  const { symbols } = view.system, vm = vmOfVcpu(view, vcpu);
  return variableRows(
    {
      vm,
      index: vcpu.index,
      frames: framesOf(view, vcpu),
      tables: symbols.all(vm),
      read: guestReader(symbols.core, view.hypervisor.machine.ram, vcpu),
      register: (name) => DEBUG_REGISTERS.find((one) => one.name.toLowerCase() === name)?.read(vcpu),
    },
    number,
    expression,
  );
}

/** A stack and what its values are made of: of a vCPU, or of a CPU in a dump. */
export interface FramedCpu {
  readonly vm: string;
  readonly index: number;
  readonly frames: readonly ShownFrame[];
  readonly tables: readonly SymbolTable[];
  readonly read: ReadGuest;
  /** A register that frames do not have, by its name in lower case. */
  register(name: string): bigint | undefined;
}

/** @throws QueryError */
export function variableRows(cpu: FramedCpu, number: number, expression: string | undefined): VariableRow[] {
  const { vm, index, tables, read } = cpu, name = vcpuName(vm, index), shown = cpu.frames[number];
  if (!shown) throw new QueryError(`${vcpuId(name)} has no frame ${number}`, way`list them with ${hint("vcpu stack", name)}`);
  const values = shown.info && new FrameValues(shown.info, shown.frame, shown.depth, read, (address) => nameIn(tables, address));
  const idOf = (path: string) => formatId({ kind: "var", vm, index, frame: number, path });
  const rowOf = (one: NamedValue): VariableRow => ({
    id: idOf(one.path),
    name: one.name,
    kind: one.kind,
    type: one.type.name,
    value: values!.text(one),
    address: placeOf(one),
    size: one.type.size() ?? null,
    parts: values!.count(one),
    path: one.path,
  });
  if (expression === undefined) {
    return (values?.variables() ?? []).map((one) => shown.info?.tried(() => rowOf(one)) ?? broken(idOf(one.path), one));
  }
  const scope: ExpressionScope = {
    values,
    register: (register) => registerOf(cpu, shown, number, register),
    symbol: (symbol) => tables.map((table) => table.resolve(symbol)).find((one) => one !== undefined),
    memory: (address) => readNumber(read, address, WORD),
  };
  try {
    const result = evaluate(expression, scope);
    if (result.kind === "typed") {
      const own: NamedValue = { ...result.value, name: expression, kind: "element", path: expression };
      const rows = shown.info?.tried(() => [{ ...rowOf(own), kind: "value" as const }, ...values!.parts(own, expression).map(rowOf)]);
      return rows ?? fail(`the debug information of ${expression} is damaged: ${shown.info?.defects.at(-1)}`);
    }
    const address = BigInt.asUintN(64, result.number), symbol = nameIn(tables, address);
    const value = `${result.number < 0n ? result.number : hex(address)}${symbol === undefined ? "" : ` <${symbol}>`}`;
    return [{
      id: idOf(expression),
      name: expression,
      kind: "value",
      type: null,
      value,
      address: hex(address),
      size: null,
      parts: 0,
      path: expression,
    }];
  } catch (error) {
    if (error instanceof ExpressionError) throw new QueryError(problemOf(error));
    throw error;
  }
}

/** A variable whose debug information is broken. */
function broken(id: string, { name, kind, path }: NamedValue): VariableRow {
  return { id, name, kind, type: null, value: "<broken debug information>", address: null, size: null, parts: 0, path };
}

function placeOf({ where }: GuestValue): string | null {
  return where?.kind === "memory" ? hex(where.address) : null;
}

/** A register of a frame: of the innermost, any that a debugger knows. */
function registerOf(cpu: FramedCpu, { frame }: ShownFrame, number: number, name: string): bigint | undefined {
  if (name === "pc") return frame.pc;
  if (name === "sp") return frame.registers[STACK_POINTER];
  const general = /^x(\d{1,2})$/.exec(name), low = /^w(\d{1,2})$/.exec(name);
  if (general) return frame.registers[Number(general[1])];
  if (low) return frame.registers[Number(low[1])] === undefined ? undefined : BigInt.asUintN(32, frame.registers[Number(low[1])]!);
  return number === 0 ? cpu.register(name.toLowerCase()) : undefined;
}

function fail(message: string): never {
  throw new QueryError(message);
}
