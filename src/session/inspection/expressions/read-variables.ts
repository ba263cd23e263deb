// Rows of the variables of a call frame, and of the value of an expression with its parts.

import { debugRegistersOf, type Vcpu } from "../../../machine/hypervisor/inspect.ts";
import { formatId, vcpuId, vcpuName } from "../../../model/queries/ids.ts";
import type { RowOf } from "../../../model/queries/table.ts";
import type { VARIABLES } from "../../../model/queries/tables.ts";
import { isPointer } from "../../../inside/expressions/c-types.ts";
import { type ExpressionScope, placeOf as valueIn } from "../../../inside/expressions/evaluate.ts";
import type { NamedValue, TypedValue, Values } from "../../../inside/expressions/values.ts";
import { KernelNames } from "../../../inside/linux/structures/kernel-names.ts";
import { FrameValues } from "../../../inside/symbols/guest-values.ts";
import { guestReader } from "../../../inside/symbols/unwind.ts";
import { nameIn } from "../../../inside/symbols/vm-symbols.ts";
import { findReading } from "../linux/read-linux.ts";
import { QueryError, type View } from "../readers/inspected.ts";
import { framesOf, type ShownFrame, symbolsOf, vmOfVcpu } from "../readers/guest/read-stack.ts";
import { hex } from "../../../kit/support/text/number-text.ts";
import { hint } from "../../../kit/support/text/hint.ts";
import { way } from "../../../kit/support/text/way-out.ts";
import { asQuery, pointedAt, scopeOf, type Surroundings, valueOf } from "./scope.ts";

const STACK_POINTER = 31;

type VariableRow = RowOf<typeof VARIABLES>;

/**
 * The variables of a frame; with an expression, its value and its parts.
 * @throws QueryError
 */
export function readVariables(view: View, vcpu: Vcpu, number: number, expression: string | undefined): VariableRow[] {
  return variableRows(framedCpu(view, vcpu), number, expression);
}

/** A vCPU with what values are made of. */
export function framedCpu(view: View, vcpu: Vcpu): FramedCpu {
  const { symbols } = view.system, vm = vmOfVcpu(view, vcpu), { addressSpace } = vcpu, { tables, infos } = symbolsOf(view, vcpu);
  let names: KernelNames | undefined;
  return {
    vm,
    index: vcpu.index,
    frames: framesOf(view, vcpu),
    tables,
    infos,
    read: guestReader(symbols.core, view.hypervisor.machine.ram, vcpu),
    register: (name) => debugRegistersOf(vcpu).find((one) => one.name.toLowerCase() === name)?.read(vcpu),
    kernel: () => names ??= kernelIn(view, addressSpace),
  };
}

function kernelIn(view: View, space: Vcpu["addressSpace"]): KernelNames | undefined {
  const reading = space && findReading(view, space);
  return reading && new KernelNames(reading);
}

/** A stack and what its values are made of: of a vCPU, or of a CPU in a dump. */
export interface FramedCpu extends Pick<Surroundings, "tables" | "infos" | "read" | "kernel"> {
  readonly vm: string;
  readonly index: number;
  readonly frames: readonly ShownFrame[];
  /** A register that frames do not have, by its name in lower case. */
  register(name: string): bigint | undefined;
}

/** A frame of a CPU, with what its values are made of. @throws QueryError */
function frameOf(cpu: FramedCpu, number: number) {
  const { vm, index, tables, read } = cpu, name = vcpuName(vm, index), shown = cpu.frames[number];
  if (!shown) throw new QueryError(`${vcpuId(name)} has no frame ${number}`, way`list them with ${hint("vcpu stack", name)}`);
  const values = shown.info && new FrameValues(shown.info, shown.frame, shown.depth, read, (address) => pointedAt(tables, address));
  return { shown, values };
}

/** The scope of expressions in a frame. @throws QueryError */
export function frameScope(cpu: FramedCpu, number: number, { shown, values } = frameOf(cpu, number)): ExpressionScope {
  return scopeOf({ ...cpu, frame: values, register: (name) => registerOf(cpu, shown, number, name) });
}

/** @throws QueryError */
export function variableRows(cpu: FramedCpu, number: number, expression: string | undefined): VariableRow[] {
  const { vm, index, tables } = cpu, frame = frameOf(cpu, number), { shown, values: own } = frame;
  const idOf = (path: string) => formatId({ kind: "var", vm, index, frame: number, path });
  const rowOf = (values: Values, one: NamedValue): VariableRow => ({
    id: idOf(one.path),
    name: one.name,
    kind: one.kind,
    type: one.type.name,
    value: values.text(one),
    address: placeOf(one),
    size: one.type.size() ?? null,
    parts: values.count(one),
    path: one.path,
  });
  if (expression === undefined) {
    return own?.variables().map((one) => shown.info?.tried(() => rowOf(own, one)) ?? broken(idOf(one.path), one)) ?? [];
  }
  const scope = frameScope(cpu, number, frame), result = valueOf(expression, scope), { values } = scope;
  if (result.kind !== "typed" && result.kind !== "number") {
    throw new QueryError(`${expression} has neither a place nor a number`, way`${hint("print", expression)} prints it`);
  }
  if (result.kind === "typed" || isPointer(result.type.plain)) {
    const named: NamedValue = { ...valueIn(result), name: expression, kind: "element", path: expression };
    return asQuery(() => [
      { ...rowOf(values, named), kind: "value" as const },
      ...values.parts(named, expression).map((one) => rowOf(values, one)),
    ]);
  }
  const address = BigInt.asUintN(64, result.number), symbol = nameIn(tables, address);
  return [{
    id: idOf(expression),
    name: expression,
    kind: "value",
    type: null,
    value: `${result.number < 0n ? result.number : hex(address)}${symbol === undefined ? "" : ` <${symbol}>`}`,
    address: hex(address),
    size: null,
    parts: 0,
    path: expression,
  }];
}

/** A variable whose debug information is broken. */
function broken(id: string, { name, kind, path }: NamedValue): VariableRow {
  return { id, name, kind, type: null, value: "<broken debug information>", address: null, size: null, parts: 0, path };
}

function placeOf({ where }: TypedValue): string | null {
  return where?.kind === "memory" ? hex(where.address) : null;
}

/** A register of a frame: of the innermost, any that a debugger knows. */
function registerOf(cpu: FramedCpu, { frame }: ShownFrame, number: number, name: string): bigint | undefined {
  if (name === "pc") return frame.pc;
  if (name === "sp") return frame.registers[STACK_POINTER];
  const [, width, index] = /^([xw])(\d{1,2})$/.exec(name) ?? [];
  if (index !== undefined) {
    const value = frame.registers[Number(index)];
    return value === undefined || width === "x" ? value : BigInt.asUintN(32, value);
  }
  return number === 0 ? cpu.register(name.toLowerCase()) : undefined;
}
