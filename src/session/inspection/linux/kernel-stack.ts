// The functions on a kernel's stack, by its frame records: of a CPU, or from a record on. It goes
// over from the stack of interrupts to that of the task that they have interrupted.

import { FrameRegister } from "../../../kit/formats/dwarf/frames.ts";
import type { ReadGuest } from "../../../inside/expressions/values.ts";
import { readNumber } from "../../../inside/symbols/unwind.ts";
import type { SymbolPlace } from "../../../inside/symbols/symbol-table.ts";
import type { KernelRegisters } from "../../../inside/linux/kernel/reading.ts";

/** Frames that are looked at, and changes of stacks: to that of interrupts, and back. */
const FRAMES = 64, STACKS = 4;
/** A frame record's size: the caller's frame pointer and its address. */
const RECORD = 16n, RETURN = 8n;
/** Bytes of code in which a function makes its frame record, by ADD X29, SP: the word. */
const PROLOGUE = 64, ADD_FRAME = 0x9100_03fd, ADD_MASK = 0xff80_03ff;
/** Functions in which exceptions from EL1 begin. */
const ENTRY = /^el1h?_(?:64_)?(?:sync|irq|fiq|error)$/;
/** The function with which a kernel gives up, and from which nothing returns. */
export const PANIC = "panic";

/** The memory of a kernel, as its stack is read. */
export interface StackReader {
  readonly read: ReadGuest;
  /** An address without the signature of pointer authentication. */
  readonly plain: (address: bigint) => bigint;
  readonly placeOf: (address: bigint) => SymbolPlace | undefined;
}

/** The functions on the stack of a CPU in the kernel, from the one that it executes outward. */
export function* functionsOfCpu(cpu: Pick<KernelRegisters, "pc" | "getX">, reader: StackReader): Generator<string | undefined> {
  const first = reader.placeOf(cpu.pc), isLeaf = first !== undefined && !hasRecord(reader.read, first);
  if (isLeaf) yield first.symbol.name;
  yield* functionsFrom(cpu.getX(FrameRegister.X29), isLeaf ? reader.plain(cpu.getX(FrameRegister.X30)) - 4n : cpu.pc, reader);
}

/**
 * The function at an address, and its callers.
 * @param frame its frame record
 */
export function* functionsFrom(frame: bigint, address: bigint, { read, plain, placeOf }: StackReader): Generator<string | undefined> {
  for (let count = 0, stacks = 0; count < FRAMES; count++) {
    const name = placeOf(address)?.symbol.name;
    yield name;
    const caller = readNumber(read, frame, Number(RETURN)), called = readNumber(read, frame + RETURN, Number(RECORD - RETURN));
    if (caller === undefined || called === undefined || caller <= frame && ++stacks > STACKS) return;
    // A call is before the address to which it returns; an exception has the address itself.
    address = ENTRY.test(name ?? "") ? called : plain(called) - 4n;
    frame = caller;
  }
}

/** Whether a function has made its frame record by this place. */
function hasRecord(read: ReadGuest, { symbol: { address }, offset }: SymbolPlace): boolean {
  const code = read(address, Math.min(Number(offset), PROLOGUE));
  if (!code) return true;
  const words = new DataView(code.buffer, code.byteOffset), count = code.length >> 2;
  return Array.from({ length: count }, (_, index) => words.getUint32(4 * index, true)).some((word) =>
    (word & ADD_MASK) >>> 0 === ADD_FRAME
  );
}

/**
 * The functions on a stack from the panic on, where no register tells its frame: a record whose
 * return address is in the panic, and whose callers have names. Of those that are left from before
 * none is in it, as it does not return.
 * @param start and the end: its addresses
 */
export function panicOn(
  { start, end }: { readonly start: bigint; readonly end: bigint },
  reader: StackReader,
): readonly string[] | undefined {
  const bytes = reader.read(start, Number(end - start)), words = bytes && new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; words && at + Number(RECORD) <= words.byteLength; at += Number(RETURN)) {
    const frame = words.getBigUint64(at, true);
    if (frame <= start + BigInt(at) || frame >= end) continue;
    const called = reader.plain(words.getBigUint64(at + Number(RETURN), true)) - 4n;
    if (reader.placeOf(called)?.symbol.name !== PANIC) continue;
    const functions = [...functionsFrom(frame, called, reader)], named = functions.filter((name) => name !== undefined);
    if (named.length > 1) return functions.map((name) => name ?? "?");
  }
  return undefined;
}
