// The call frames of a vCPU as rows, with the functions that the compiler has inlined.

import { isBelowEl2 } from "../../../../cpu/core/interface.ts";
import { stackPointer, type Vcpu } from "../../../../machine/hypervisor/inspect.ts";
import type { View } from "../inspected.ts";
import type { DebugInfo } from "../../../../inside/symbols/debug-info.ts";
import { CodeFrames } from "../../../../inside/symbols/code-frames.ts";
import { type GuestFrame, guestReader, unwind, unwoundOf } from "../../../../inside/symbols/unwind.ts";
import { formatId } from "../../../../model/queries/ids.ts";
import type { RowOf } from "../../../../model/queries/table.ts";
import type { STACK } from "../../../../model/queries/tables.ts";
import { placeText, type SymbolPlace, type SymbolTable } from "../../../../inside/symbols/symbol-table.ts";
import { placeIn } from "../../../../inside/symbols/vm-symbols.ts";
import { hex } from "../../../../kit/support/text/number-text.ts";

/** A frame as debuggers number them: also those of functions that were inlined. */
export interface ShownFrame {
  readonly frame: GuestFrame;
  /** The function, from debug information. */
  readonly name: string | undefined;
  readonly source: { readonly file: string; readonly line: number; readonly column: number } | undefined;
  /** Functions inlined into this one on the way to the address: none in the innermost. */
  readonly depth: number;
  readonly inlined: boolean;
  readonly info: DebugInfo | undefined;
}

/** The VM's name of a vCPU that executes instructions. */
export function vmOfVcpu(view: View, vcpu: Vcpu): string {
  return view.vmNameOf(vcpu.addressSpace);
}

/** The symbols of the code that a vCPU executes, and debug information where that is its VM's. */
export function symbolsOf(view: View, vcpu: Vcpu): { readonly tables: readonly SymbolTable[]; readonly infos: readonly DebugInfo[] } {
  const vm = vmOfVcpu(view, vcpu), { symbols } = view.system;
  return { tables: symbols.ofCode(vcpu), infos: isBelowEl2(vcpu.registers) ? [] : symbols.infos(vm) };
}

/** The frames of a vCPU, the innermost first; none for a native program. */
export function framesOf(view: View, vcpu: Vcpu): ShownFrame[] {
  if (vcpu.native) return [];
  const { symbols } = view.system, { tables, infos } = symbolsOf(view, vcpu);
  const sp = vcpu.registers.getRegister(stackPointer(vcpu));
  const read = guestReader(symbols.core, view.hypervisor.machine.ram, vcpu);
  const code = new CodeFrames(tables, read);
  return unwind(unwoundOf(vcpu), sp, read, infos, code).flatMap((frame) => withInlined(frame, infos));
}

/** A frame, after those of the functions that were inlined at its address. */
export function withInlined(frame: GuestFrame, infos: readonly DebugInfo[]): ShownFrame[] {
  const info = infos.find((one) => one.lineAt(frame.at) !== undefined);
  const line = info?.lineAt(frame.at), scope = info?.scopeAt(frame.at);
  if (!info || !scope) return [{ frame, name: undefined, source: line, depth: 0, inlined: false, info }];
  const chain = [scope.function, ...scope.inlined];
  return chain.map((entry, index): ShownFrame => {
    const called = chain[index + 1] && info.callOf(chain[index + 1]);
    return {
      frame,
      name: info.tried(() => info.nameOf(entry)),
      source: index === chain.length - 1 ? line : called && { ...called, column: 0 },
      depth: chain.length - 1 - index,
      inlined: index > 0,
      info,
    };
  }).reverse();
}

/** The rows of `vcpu stack`. */
export function readStack(view: View, vcpu: Vcpu): RowOf<typeof STACK>[] {
  const vm = vmOfVcpu(view, vcpu), { symbols } = view.system;
  const tables = vcpu.native ? [] : symbolsOf(view, vcpu).tables;
  return stackRows(framesOf(view, vcpu), tables, vm, vcpu.index).map((row) =>
    row.file === null || row.line === null ? row : { ...row, text: symbols.textOf(row.file, row.line) ?? null }
  );
}

/** The rows of frames of a VM's vCPU. */
export function stackRows(frames: readonly ShownFrame[], tables: readonly SymbolTable[], vm: string, vcpu: number): RowOf<typeof STACK>[] {
  return frames.map(({ frame, name: own, source, inlined, depth }, index) => {
    const place = depth > 0 || inlined ? undefined : placeOf(tables, frame);
    return {
      id: formatId({ kind: "frame", vm, index: vcpu, frame: index }),
      pc: hex(frame.pc, 16),
      symbol: (place ? placeText(place) : own) ?? null,
      function: place?.symbol.name ?? own ?? null,
      offset: place ? Number(place.offset) : null,
      frame: frame.record === undefined ? null : hex(frame.record, 16),
      source: source ? `${source.file}:${source.line}` : null,
      file: source?.file ?? null,
      line: source?.line ?? null,
      text: null,
      by: inlined ? "inline" : frame.by,
      cfa: frame.cfa === undefined ? null : hex(frame.cfa, 16),
      note: frame.note ?? null,
    };
  });
}

/**
 * The symbol of a frame's PC. A return address may be after the last instruction of the caller: the
 * symbol is the one that contains the call.
 */
function placeOf(tables: readonly SymbolTable[], { pc, at, by }: GuestFrame): SymbolPlace | undefined {
  if (by === "pc") return placeIn(tables, pc);
  const place = pc === 0n ? undefined : placeIn(tables, at);
  return place && { ...place, offset: pc - place.symbol.address };
}
