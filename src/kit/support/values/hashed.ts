// Texts by their hashes, as numbers: a table of hundreds of thousands of names, few of which are
// asked for, needs no string for each. Whoever wrote the names can give many of them the same hash,
// so the number of comparisons is bounded.

import type { Work } from "./work.ts";

/** Base of the hash of a text: the sum of its characters, each times a power of it, in 32 bits. */
export const HASH_BASE = 0x0100_0193;
/** Names with the same hash that are compared: a kernel has one. */
const SAME_MAX = 8;
/** Bytes of a name that somebody asks for. */
const NAME_MAX = 64;

/** The hash of one text after another of this hash. */
export function hashOf(text: string, hash = 0): number {
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash, HASH_BASE) + text.charCodeAt(index) | 0;
  return hash;
}

/** The hash of the bytes up to a zero; undefined if they are more than those of a name. */
export function hashOfTextAt(bytes: Uint8Array, at: number, work: Work): number | undefined {
  let hash = 0, length = 0;
  while (length < NAME_MAX && bytes[at + length] > 0) hash = Math.imul(hash, HASH_BASE) + bytes[at + length++] | 0;
  work.spend(1 + (length >> 4));
  return bytes[at + length] === 0 ? hash : undefined;
}

/** Whether a text is at a place, with a zero after it. */
export function isTextAt(bytes: Uint8Array, at: number, text: string): boolean {
  for (let index = 0; index < text.length; index++) if (bytes[at + index] !== text.charCodeAt(index)) return false;
  return bytes[at + text.length] === 0;
}

/** Numbers from 0 on by the hash of each. */
export class ByHash {
  /** The first number of each hash's lowest bits, and by number the next one with the same. */
  readonly #first: Int32Array;
  readonly #next: Int32Array;

  /** @param hashes by number */
  constructor(readonly hashes: Int32Array) {
    const count = hashes.length, mask = count === 0 ? 0 : (1 << 32 - Math.clz32(count)) - 1;
    this.#first = new Int32Array(mask + 1).fill(-1);
    this.#next = new Int32Array(count);
    // The lowest one is the first of a chain.
    for (let number = count - 1; number >= 0; number--) {
      const place = hashes[number] & mask;
      this.#next[number] = this.#first[place];
      this.#first[place] = number;
    }
  }

  /** The lowest number with a hash for which something is true; -1: none. */
  find(hash: number, isIt: (number: number) => boolean): number {
    let compared = 0;
    for (let number = this.#first[hash & this.#first.length - 1]; number >= 0; number = this.#next[number]) {
      if (this.hashes[number] !== hash) continue;
      if (isIt(number)) return number;
      if (++compared === SAME_MAX) return -1;
    }
    return -1;
  }
}
