// Rows of `el2 print`: the value of an expression, or of each member of a collection.

import { isArithmetic, isPointer } from "../../../inside/expressions/c-types.ts";
import { type ExpressionScope, placeOf, type Single } from "../../../inside/expressions/evaluate.ts";
import type { Values } from "../../../inside/expressions/values.ts";
import { valueText } from "../../../inside/expressions/value-text.ts";
import type { Reading } from "../../../inside/linux/kernel/reading.ts";
import { KernelNames } from "../../../inside/linux/structures/kernel-names.ts";
import type { DebugInfo } from "../../../inside/symbols/debug-info.ts";
import type { AddressSpace, Vcpu } from "../../../machine/hypervisor/inspect.ts";
import { hex } from "../../../kit/support/text/number-text.ts";
import type { Gap } from "../../../model/queries/facts/gap.ts";
import { formatId, type ScopedExpression, scopedExpression, vcpuId, vcpuName, vmId, withKind } from "../../../model/queries/ids.ts";
import type { RowOf } from "../../../model/queries/table.ts";
import type { PRINTED } from "../../../model/queries/tables.ts";
import { findReading, type LinuxRows } from "../linux/read-linux.ts";
import { QueryError, type View } from "../readers/inspected.ts";
import { type FramedCpu, framedCpu, frameScope } from "./read-variables.ts";
import { asQuery, scopeOf, valueOf } from "./scope.ts";

type PrintedRow = RowOf<typeof PRINTED>;

/** Members of a collection that are printed. */
const MEMBERS_MAX = 1000;

/** An expression in its VM. */
interface Placed {
  readonly vm: string;
  readonly expression: string;
  readonly scope: ExpressionScope;
  /** Gaps of what it has read. */
  readonly gaps: () => readonly Gap[];
}

/**
 * An expression is evaluated in a frame of the vCPU that it names, else in a kernel.
 * @throws QueryError
 */
export function readPrinted(view: View, text: string): LinuxRows<PrintedRow> {
  const wanted = scopedExpression(text), { reading, vcpu } = whereIn(view, wanted);
  if (!reading) return printedInFrame(framedCpu(view, vcpu), wanted.expression);
  return printedOfKernel(reading, view.system.symbols.infos(reading.vm), wanted.expression);
}

/** A kernel with its VM's memory, or a vCPU. */
export type ExpressionPlace =
  | { readonly reading: Reading; readonly space: AddressSpace; readonly vcpu?: undefined }
  | { readonly vcpu: Vcpu; readonly reading?: undefined; readonly space?: undefined };

/** The place that an expression is about. @throws QueryError */
export function whereIn(view: View, wanted: ScopedExpression): ExpressionPlace {
  const { vm, index } = wanted;
  if (vm !== undefined && index !== undefined) return { vcpu: view.findVcpu(vcpuId(vcpuName(vm, index))) };
  const spaces = vm === undefined ? [...view.hypervisor.addressSpaces.values()] : [view.findSpace(vm)];
  const kernels = spaces.flatMap((space) => {
    const reading = findReading(view, space);
    return reading ? [{ reading, space }] : [];
  });
  if (kernels.length > 1) throw several(wanted, kernels.map(({ reading }) => reading.vm));
  return kernels[0] ?? { vcpu: view.findVcpu(firstVcpu(view, wanted)) };
}

const several = ({ expression }: ScopedExpression, vms: readonly string[]) =>
  new QueryError(`${expression} may be of several VMs`, `name one: ${vms.map((vm) => `${vm}:${expression}`).join(", ")}`);

/** The first vCPU of the VM that is meant, in which no kernel is known. @throws QueryError */
function firstVcpu(view: View, wanted: ScopedExpression): string {
  const of = wanted.vm === undefined ? undefined : withKind("vm", wanted.vm);
  const all = view.vcpus().filter(({ native, addressSpace }) =>
    !native && addressSpace && (of === undefined || view.vmOf(addressSpace) === of)
  );
  const vms = new Set(all.map(({ addressSpace }) => view.vmNameOf(addressSpace))), [first] = all;
  if (vms.size > 1) throw several(wanted, [...vms]);
  if (!first) throw new QueryError(`no vCPU of ${of ?? "any VM"} executes instructions`);
  return view.vcpu(first);
}

/** In the innermost frame of a CPU. @throws QueryError */
export function printedInFrame(cpu: FramedCpu, expression: string): LinuxRows<PrintedRow> {
  return printedRows({ vm: cpu.vm, expression, scope: frameScope(cpu, 0), gaps: () => cpu.kernel()?.reading.gaps ?? [] });
}

/** In a kernel, whatever its CPUs do. @throws QueryError */
export function printedOfKernel(reading: Reading, infos: readonly DebugInfo[], expression: string): LinuxRows<PrintedRow> {
  return printedRows({ vm: reading.vm, expression, scope: kernelScope(reading, infos), gaps: () => reading.gaps });
}

/** @param values by which values and members of collections are read */
export function kernelScope(reading: Reading, infos: readonly DebugInfo[], values = reading): ExpressionScope {
  const { memory, kernel } = reading, names = new KernelNames(reading, values);
  return scopeOf({
    tables: [...kernel.symbols, ...kernel.modules.in(memory).map(({ table }) => table)],
    infos,
    read: (address, size) => values.memory.mapped(address, size),
    register: () => undefined,
    kernel: () => names,
  });
}

/** @throws QueryError */
export function printedRows({ vm, expression, scope, gaps }: Placed): LinuxRows<PrintedRow> {
  const result = valueOf(expression, scope), { values } = scope;
  if (result.kind !== "several") return { rows: [asQuery(() => rowOf(vm, values, result, expression))], gaps: gaps() };
  const rows: PrintedRow[] = [];
  const isCut = asQuery(() => {
    for (const one of result.elements) {
      if (rows.length === MEMBERS_MAX) return true;
      rows.push(rowOf(vm, values, one, `${expression}[${rows.length}]`));
    }
  });
  return { rows, gaps: [...gaps(), ...isCut ? [{ code: "many", of: expression, limit: MEMBERS_MAX } as const] : []] };
}

function rowOf(vm: string, values: Values, one: Single, path: string): PrintedRow {
  const id = formatId({ kind: "val", vm, path }), row = { id, vm: vmId(vm), expression: path, address: null, size: null };
  if (one.kind === "text") return { ...row, type: null, value: JSON.stringify(one.text), number: null };
  if (one.kind === "none") return { ...row, type: null, value: `<${one.why}>`, number: null };
  if (one.kind === "number" && one.bare) return { ...row, type: null, value: bareText(values, one.number), number: String(one.number) };
  const value = placeOf(one), { type, where } = value, { plain } = type, isNumber = isArithmetic(plain) || isPointer(plain);
  const number = isNumber ? values.number(value) : undefined;
  return {
    ...row,
    type: type.name,
    value: `${isPointer(plain) ? `(${type.name}) ` : ""}${valueText(values, value)}`,
    number: number === undefined ? null : String(number),
    address: where?.kind === "memory" ? hex(where.address, 16) : null,
    size: type.size() ?? null,
  };
}

/** A register, an address or a word: it may have a name. */
function bareText({ nameOf }: Values, number: bigint): string {
  const name = nameOf(number);
  return name === undefined ? hex(number) : `${hex(number)} <${name}>`;
}
