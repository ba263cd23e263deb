// Results of the decoder, by word. Except for direct branches, a word is decoded to the same
// everywhere, and most words of a program occur in many places: two thirds of those of a Linux boot
// are found here.

import { Handler } from "./handlers.ts";
import { DECODED_SIZE } from "./operands.ts";

/** Each word has one of the places, whose number has this many bits; the last one stays there. */
const PLACE_BITS = 16;
/** An odd number that spreads the bits of a word over the upper ones of the product. */
const SPREAD = 0x9e3779b1;
const DECODED_WORDS = DECODED_SIZE / 4;
/** Of a place: the word, and its decoded instruction. */
const STRIDE = 1 + DECODED_WORDS;

/** Decoded instructions by their words. */
export class DecodedWords {
  readonly #memory: Int32Array;
  readonly #places = new Int32Array(STRIDE << PLACE_BITS);

  /** @param memory the core's, in which decoded instructions lie. */
  constructor(memory: WebAssembly.Memory) {
    this.#memory = new Int32Array(memory.buffer);
  }

  /** Fills the decoded instruction at `ip` for a word; false if the word is not known. */
  copy(word: number, ip: number): boolean {
    const from = placeOf(word) * STRIDE, to = ip / 4;
    // Places are zero at first, as the word 0 is.
    if (this.#places[from] !== word || this.#places[from + 1] === Handler.Decode) return false;
    for (let i = 0; i < DECODED_WORDS; i++) this.#memory[to + i] = this.#places[from + 1 + i];
    return true;
  }

  /** Remembers the decoded instruction at `ip`. */
  keep(word: number, ip: number): void {
    const to = placeOf(word) * STRIDE, from = ip / 4;
    this.#places[to] = word;
    for (let i = 0; i < DECODED_WORDS; i++) this.#places[to + 1 + i] = this.#memory[from + i];
  }
}

/** The place of a word. */
export function placeOf(word: number): number {
  return Math.imul(word, SPREAD) >>> 32 - PLACE_BITS;
}
