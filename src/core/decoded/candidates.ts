// Candidates for words, in the form that the decoder in Wasm reads: for each key, which is some of
// a word's bits, a list of encodings and their variants in the order in which they match. A list is
// made when the first word with its key is decoded; equal lists are one.

import { candidates, candidatesKey, KEY_MASK, UPPER_KEY_MASK } from "../../isa/decode.ts";
import { ALWAYS_ALLOCATED, fieldValues } from "../../isa/insn.ts";
import type { Encoding } from "../../isa/table.ts";
import { DECODER_CANDIDATES, DECODER_KEYS } from "../state/layout.ts";
import { type Decoding, NO_FILL, type Variant } from "./variants.ts";
import { bitsOf } from "../../support/bits.ts";

/** A candidate in the memory: offsets in bytes. */
export const Candidate = {
  /** i32: the bits of a word that choose it, and their values. */
  Mask: 0,
  Value: 4,
  /** u16: its handler, and that of a direct branch to the same page. */
  Handler: 8,
  Near: 10,
  /** u16: what fills its decoded instructions; `NO_FILL`: TypeScript does it. */
  Fill: 12,
  Size: 16,
} as const;

/** Most bits outside of a key that decide whether a word is allocated, and are all tried. */
const MOST_UNDECIDED = 6;
/** The longest list that is taken for all words that agree in the upper bits of their keys. */
const LONGEST_SHARED = 6;
/** Keys that agree in the upper bits. */
const LOWER_KEYS = 64;

/** A candidate of a list. */
interface Listed {
  readonly mask: number;
  readonly value: number;
  /** Undefined for TypeScript's. */
  readonly variant: Variant | undefined;
}

/** The candidates of one core's decoder. */
export class Candidates {
  readonly #halves: Uint16Array;
  readonly #words: Int32Array;
  /** The numbers of the first candidates of lists, by their contents. */
  readonly #lists = new Map<string, number>();
  /** The next number that is free. 0 says that a key is not known. */
  #next = 1;

  /** @param capacity candidates that there is room for */
  constructor(memory: WebAssembly.Memory, readonly decodings: readonly Decoding[], readonly capacity: number = DECODER_CANDIDATES.count) {
    this.#halves = new Uint16Array(memory.buffer);
    this.#words = new Int32Array(memory.buffer);
  }

  /**
   * Makes the list for the key of a word. The number of its first candidate; 0 if there is no room.
   */
  learn(word: number): number {
    const shared = this.#listFor(word, UPPER_KEY_MASK), isShared = shared.sure && shared.list.length <= LONGEST_SHARED;
    const { list } = isShared ? shared : this.#listFor(word, KEY_MASK);
    const content = list.map(({ mask, value, variant }) => [mask, value, variant?.fill ?? NO_FILL, variant?.handlers].join()).join(";");
    const first = this.#lists.get(content) ?? this.#write(list);
    if (!first) return 0;
    this.#lists.set(content, first);
    const key = (DECODER_KEYS >> 1) + candidatesKey(word), lowest = key - key % LOWER_KEYS;
    if (isShared) this.#halves.fill(first, lowest, lowest + LOWER_KEYS);
    else this.#halves[key] = first;
    return first;
  }

  /**
   * The list for words with the `known` bits of this one; `sure` if no others decide what is
   * allocated.
   */
  #listFor(word: number, known: number): { list: Listed[]; sure: boolean } {
    const list: Listed[] = [];
    let sure = true;
    for (const encoding of candidates(word, known)) {
      const { mask, value } = encoding, decoding = this.decodings[encoding.index];
      const allocated = decoding.handlers !== undefined && isAllocated(encoding, word, known);
      if (allocated) {
        for (const special of decoding.specials) {
          list.push({ mask: mask | special.mask, value: value | special.value, variant: special.variant });
        }
      } else if (decoding.handlers) sure = false;
      list.push({ mask, value, variant: allocated ? decoding : undefined });
      // All of these words match.
      if ((mask & ~known) === 0) return { list, sure };
    }
    list.push({ mask: 0, value: 0, variant: undefined });
    return { list, sure };
  }

  #write(list: readonly Listed[]): number {
    const first = this.#next;
    if (first + list.length > this.capacity) return 0;
    this.#next += list.length;
    for (const [index, { mask, value, variant }] of list.entries()) {
      const at = DECODER_CANDIDATES.base + (first + index) * Candidate.Size;
      this.#words[(at + Candidate.Mask) >> 2] = mask;
      this.#words[(at + Candidate.Value) >> 2] = value;
      const [handler = 0, near = 0] = variant?.handlers ?? [];
      this.#halves[(at + Candidate.Handler) >> 1] = handler;
      this.#halves[(at + Candidate.Near) >> 1] = near;
      this.#halves[(at + Candidate.Fill) >> 1] = variant?.fill ?? NO_FILL;
    }
    return first;
  }
}

/**
 * Whether all words of an encoding with the `known` bits of this one are allocated. The predicate
 * of its entry is asked about all values of the other bits of the fields that it reads; false if
 * these are too many.
 */
function isAllocated({ instruction, mask, value }: Encoding, word: number, known: number): boolean {
  const { unallocated, fields } = instruction;
  if (unallocated === ALWAYS_ALLOCATED) return true;
  let open = 0;
  for (let read = 0;; open = read) {
    for (let setting = open;; setting = setting - 1 & open) {
      const values = fieldValues(instruction, word & known | value | setting);
      const noted = new Proxy(values, {
        get(values, name: string) {
          const { position, width } = fields.get(name)!;
          read |= (2 ** width - 1) << position & ~(known | mask);
          return values[name];
        },
      });
      if (unallocated(noted)) return false;
      if (setting === 0) break;
    }
    if (read === open) return true;
    if (bitsOf(read) > MOST_UNDECIDED) return false;
  }
}
