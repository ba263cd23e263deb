// Maps with a bit for each 4 KiB of the Wasm memory, at a fixed address in it.

import { type Code, constant, type Local, type Value } from "../wasm/expression.ts";
import { PAGE_SHIFT } from "../../support/sizes.ts";

/** Where the bit of a page is: offset of its byte in the map, and its mask. */
export function pageBit(c: Code, host: Value): { byte: Local; mask: Local } {
  return { byte: c.let(host.shrU(PAGE_SHIFT + 3)), mask: c.let(constant("i32", 1).shl(host.shrU(PAGE_SHIFT).and(7))) };
}

/** Sets the bit of the page at this host address in the map at `map`. */
export function setPageBit(c: Code, host: Value, map: number): void {
  const { byte, mask } = pageBit(c, host);
  c.store("i32.store8", byte, c.load("i32.load8_u", byte, map).or(mask), map);
}

/** Sets the bits of all pages of [host, host + size) in a map, from outside of the module. */
export function setPageBits(memory: Uint8Array, map: number, host: number, size: number): void {
  const end = (host + size - 1) >>> PAGE_SHIFT;
  for (let page = host >>> PAGE_SHIFT; page <= end; page++) memory[map + (page >>> 3)] |= 1 << (page & 7);
}

/** Whether the bit of the page at this host address is set. */
export function hasPageBit(memory: Uint8Array, map: number, host: number): boolean {
  const page = host >>> PAGE_SHIFT;
  return (memory[map + (page >>> 3)] >>> (page & 7) & 1) !== 0;
}
