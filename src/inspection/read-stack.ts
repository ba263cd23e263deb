// The call frames of a vCPU: x29 leads to frame records of two words, the caller's x29 and the
// return address (AAPCS64 section 6.4.6).

import type { Vcpu } from "../hypervisor/scheduling/vcpu.ts";
import type { View } from "./inspected.ts";
import { nameIn } from "../symbols/vm-symbols.ts";
import type { SymbolTable } from "../symbols/symbol-table.ts";
import { hex, type RowOf } from "../queries/table.ts";
import type { STACK } from "../queries/tables.ts";

const FRAME_POINTER = 29;
const LINK_REGISTER = 30;
const RECORD_SIZE = 16;
const CALL_SIZE = 4n;
const MOST = 64;
/**
 * Bits of a virtual address; those above repeat bit 55 where an address is not signed (pointer
 * authentication).
 */
const ADDRESS_BITS = 48n;
const SELECTS_HALF = 1n << 55n;

/** The frames; none for a native program. */
export function readStack(view: View, vcpu: Vcpu): RowOf<typeof STACK>[] {
  if (vcpu.native) return [];
  const name = view.vcpu(vcpu).slice("vcpu:".length);
  const rows: RowOf<typeof STACK>[] = [];
  const tables = view.system.symbols.all(view.vmOf(vcpu.addressSpace).slice("vm:".length));
  const add = (pc: bigint, frame: bigint | null, note: string | null) => {
    const symbol = (rows.length ? callerIn(tables, pc) : nameIn(tables, pc)) ?? null;
    rows.push({ id: `frame:${name}/${rows.length}`, pc: hex(pc, 16), symbol, frame: frame === null ? null : hex(frame, 16), note });
  };
  const { registers } = vcpu;
  add(registers.pc, null, null);
  let frame = registers.getX(FRAME_POINTER);
  if (frame === 0n) {
    // In a leaf before its prologue, or in code without frame pointers, only the link register
    // remains.
    add(unsigned(registers.getX(LINK_REGISTER)), null, "x30; there is no frame pointer");
    return rows;
  }
  while (rows.length < MOST) {
    const record = readRecord(view, vcpu, frame);
    if (!record) {
      add(0n, frame, "this frame record cannot be read");
      return rows;
    }
    if (record.pc === 0n) return rows;
    const ends = record.frame === 0n ? "the outermost" : record.frame <= frame ? "frames no longer ascend" : null;
    add(unsigned(record.pc), frame, ends);
    if (ends) return rows;
    frame = record.frame;
  }
  return rows;
}

/**
 * A return address may be after the last instruction of the caller: the name is that of the symbol
 * that contains the call.
 */
function callerIn(tables: readonly SymbolTable[], pc: bigint): string | undefined {
  if (pc === 0n) return undefined;
  const place = tables.map((table) => table.at(pc - CALL_SIZE)).find((one) => one !== undefined);
  return place && `${place.symbol.name}+0x${(place.offset + CALL_SIZE).toString(16)}`;
}

/** Without the signature that pointer authentication puts into the upper bits. */
function unsigned(address: bigint): bigint {
  const low = address & (1n << ADDRESS_BITS) - 1n;
  return address & SELECTS_HALF ? low | ((1n << 64n) - 1n ^ (1n << ADDRESS_BITS) - 1n) : low;
}

/**
 * A frame record in guest memory, through the vCPU's own translation; undefined where it is not
 * readable RAM.
 */
function readRecord(view: View, vcpu: Vcpu, at: bigint): { frame: bigint; pc: bigint } | undefined {
  if (at % 8n !== 0n) return undefined;
  const words: bigint[] = [];
  for (let offset = 0n; offset < BigInt(RECORD_SIZE); offset += 8n) {
    const translation = vcpu.translate(at + offset, "read");
    const { ram } = view.hypervisor.machine;
    if (!translation.ok || !ram.contains(translation.pa, 8)) return undefined;
    const bytes = ram.bytes(translation.pa, 8);
    words.push(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  }
  return { frame: words[0], pc: words[1] };
}
