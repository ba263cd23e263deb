// Candidates for words, in the form that the decoder in Wasm reads: for each key, which is some of
// a word's bits, a list of encodings and their variants in the order in which they match. The lists
// are part of a core's blueprint, as making them in each run takes time while V8 does not know the
// code yet.

import { ALWAYS_ALLOCATED, fieldValues } from "../../isa/notation/insn.ts";
import {
  type InstructionSet,
  KEY_MASK,
  LOWER_KEY_SHIFT,
  LOWER_KEYS,
  UPPER_KEY_MASK,
  UPPER_KEY_SHIFT,
  UPPER_KEYS,
} from "../../isa/instruction-set.ts";
import type { InstructionForm } from "../../isa/table.ts";
import { DECODER_CANDIDATES, DECODER_KEYS } from "../state/layout.ts";
import { type Decodings, NO_FILL, type Variant } from "./variants.ts";
import { bitsOf } from "../../../kit/support/values/bits.ts";

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

/** A candidate of a list. */
interface Listed {
  readonly mask: number;
  readonly value: number;
  /** Undefined for TypeScript's. */
  readonly variant: Variant | undefined;
}

/** The candidates of all keys. Plain data, which follows from the handlers of a core. */
export interface DecoderTables {
  /** Pairs: how many keys in a row have the same list, and the number of its first candidate. */
  readonly keys: Int32Array<ArrayBuffer>;
  /** The candidates of all lists, one after the other, as the memory has them. */
  readonly candidates: Int32Array<ArrayBuffer>;
}

/**
 * Makes the lists of all keys.
 * @throws Error if the memory has no room for them
 */
export function makeDecoderTables(instructions: InstructionSet, decodings: Decodings): DecoderTables {
  const lists = new Lists(), keys: number[] = [];
  const add = (count: number, list: readonly Listed[]) => {
    const first = lists.place(list), last = keys.length - 2;
    if (last >= 0 && keys[last + 1] === first) keys[last] += count;
    else keys.push(count, first);
  };
  for (let upper = 0; upper < UPPER_KEYS; upper++) {
    const word = upper << UPPER_KEY_SHIFT, shared = listFor(instructions, decodings, word, UPPER_KEY_MASK);
    if (shared.sure && shared.list.length <= LONGEST_SHARED) add(LOWER_KEYS, shared.list);
    else {for (let lower = 0; lower < LOWER_KEYS; lower++) {
        add(1, listFor(instructions, decodings, word | lower << LOWER_KEY_SHIFT, KEY_MASK).list);
      }}
  }
  return { keys: Int32Array.from(keys), candidates: lists.encoded };
}

/** Writes the tables to a core's memory. */
export function writeDecoderTables(memory: WebAssembly.Memory, { keys, candidates }: DecoderTables): void {
  new Int32Array(memory.buffer, DECODER_CANDIDATES.base, candidates.length).set(candidates);
  const numbers = new Uint16Array(memory.buffer, DECODER_KEYS, UPPER_KEYS * LOWER_KEYS);
  for (let i = 0, key = 0; i < keys.length; i += 2) {
    // Most runs are short, and V8 does not know this code yet: a call takes longer than a number.
    if (keys[i] === 1) numbers[key++] = keys[i + 1];
    else numbers.fill(keys[i + 1], key, key += keys[i]);
  }
}

/** Lists of candidates, equal ones once. */
class Lists {
  readonly #words: number[] = [];
  /** The numbers of the first candidates, by the words of their lists. */
  readonly #numbers = new Map<string, number>();

  /** The latest list, and its number: neighboring keys mostly have the same one. */
  #latest: readonly Listed[] = [];
  #latestFirst = -1;

  /** The number of the first candidate of a list. */
  place(list: readonly Listed[]): number {
    const { length } = list, latest = this.#latest;
    if (
      length === latest.length &&
      list.every((listed, i) => listed.mask === latest[i].mask && listed.value === latest[i].value && listed.variant === latest[i].variant)
    ) {
      return this.#latestFirst;
    }
    this.#latest = list;
    return this.#latestFirst = this.#find(list);
  }

  #find(list: readonly Listed[]): number {
    const words = list.flatMap(({ mask, value, variant }) => {
      const [handler = 0, near = 0] = variant?.handlers ?? [];
      return [mask, value, handler | near << 16, variant?.fill ?? NO_FILL];
    });
    const content = words.join();
    let first = this.#numbers.get(content);
    if (first === undefined) {
      first = 4 * this.#words.length / Candidate.Size;
      if (first + list.length > DECODER_CANDIDATES.count) throw new Error("the decoder has no room for all candidates");
      this.#words.push(...words);
      this.#numbers.set(content, first);
    }
    return first;
  }

  get encoded(): Int32Array<ArrayBuffer> {
    return Int32Array.from(this.#words);
  }
}

/**
 * The list for words with the `known` bits of this one; `sure` if no others decide what is
 * allocated.
 */
function listFor(
  instructions: InstructionSet,
  decodings: Decodings,
  word: number,
  known: number,
): { list: Listed[]; sure: boolean } {
  const list: Listed[] = [];
  let sure = true;
  for (const encoding of instructions.candidates(word, known)) {
    const { mask, value } = encoding, decoding = decodings.of(encoding);
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

/**
 * Whether all words of an encoding with the `known` bits of this one are allocated. The predicate
 * of its entry is asked about all values of the other bits of the fields that it reads; false if
 * these are too many.
 */
function isAllocated({ instruction, mask, value }: InstructionForm, word: number, known: number): boolean {
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
