// Maps with a bit for each 4 KiB of the Wasm memory, at a fixed address in it.

import { type Code, constant, type Local, type Value } from "../wasm/expression.ts";
import { PAGE_SHIFT } from "../../../kit/support/values/sizes.ts";

/** The place of a page's bit: offset of its byte in the map, and its mask. */
export function pageBit(c: Code, wasmAddress: Value): { byte: Local; mask: Local } {
  return { byte: c.let(wasmAddress.shrU(PAGE_SHIFT + 3)), mask: c.let(constant("i32", 1).shl(wasmAddress.shrU(PAGE_SHIFT).and(7))) };
}

/** Sets the bit of the page at this Wasm address in the map at `map`. */
export function setPageBit(c: Code, wasmAddress: Value, map: number): void {
  const { byte, mask } = pageBit(c, wasmAddress);
  c.store("i32.store8", byte, c.load("i32.load8_u", byte, map).or(mask), map);
}

/**
 * Sets the bits of all pages of [wasmAddress, wasmAddress + size) in a map, from outside of the
 * module.
 */
export function setPageBits(memory: Uint8Array, map: number, wasmAddress: number, size: number): void {
  const end = (wasmAddress + size - 1) >>> PAGE_SHIFT;
  for (let page = wasmAddress >>> PAGE_SHIFT; page <= end; page++) memory[map + (page >>> 3)] |= 1 << (page & 7);
}

/** Whether the bit of the page at this Wasm address is set. */
export function hasPageBit(memory: Uint8Array, map: number, wasmAddress: number): boolean {
  const page = wasmAddress >>> PAGE_SHIFT;
  return (memory[map + (page >>> 3)] >>> (page & 7) & 1) !== 0;
}
