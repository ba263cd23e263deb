// What words were decoded to. A word says how it is decoded, unless it is a direct branch, and most
// words of a program stand in many places: two thirds of a Linux boot's are found here.

import { Handler } from "./handlers.ts";
import { DECODED_SIZE } from "./operands.ts";

/** Each word has one of the places, whose number has this many bits; the last one stays there. */
const PLACE_BITS = 16;
/** An odd number that spreads the bits of a word over the upper ones of the product. */
const SPREAD = 0x9e3779b1;
const DECODED_WORDS = DECODED_SIZE / 4;

/** Decoded instructions by their words. */
export class DecodedWords {
  readonly #memory: Int32Array;
  readonly #words = new Int32Array(1 << PLACE_BITS);
  readonly #decoded = new Int32Array(DECODED_WORDS << PLACE_BITS);

  /** @param memory the core's, in which decoded instructions lie. */
  constructor(memory: WebAssembly.Memory) {
    this.#memory = new Int32Array(memory.buffer);
  }

  /** Fills the decoded instruction at `ip` for a word; false if the word is not known. */
  copy(word: number, ip: number): boolean {
    const place = placeOf(word), from = place * DECODED_WORDS, to = ip / 4;
    const first = this.#decoded[from];
    if (this.#words[place] !== word || first === Handler.Decode) return false;
    this.#memory[to] = first;
    for (let i = 1; i < DECODED_WORDS; i++) this.#memory[to + i] = this.#decoded[from + i];
    return true;
  }

  /** Remembers the decoded instruction at `ip`. */
  keep(word: number, ip: number): void {
    const place = placeOf(word);
    this.#words[place] = word;
    for (let i = 0; i < DECODED_WORDS; i++) this.#decoded[place * DECODED_WORDS + i] = this.#memory[ip / 4 + i];
  }
}

/** The place of a word. */
export function placeOf(word: number): number {
  return Math.imul(word, SPREAD) >>> 32 - PLACE_BITS;
}
