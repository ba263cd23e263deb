// The decoder: a word to its encoding. The most specific match wins; words that match nothing, or
// that their entry calls unallocated, have none.

import { ALWAYS_ALLOCATED, fieldValues } from "./insn.ts";
import { type Encoding, encodingsFor } from "./table.ts";

/**
 * The parts of a word's key for the decoder, bits 31:21 and 15:10: where they are in the word, and
 * how many values each has.
 */
export const UPPER_KEY_SHIFT = 21, LOWER_KEY_SHIFT = 10, UPPER_KEYS = 1 << 11, LOWER_KEYS = 1 << 6;
/** The bits of a word that are in its key, and those in the key's upper part. */
export const KEY_MASK = 0xffe0fc00, UPPER_KEY_MASK = 0xffe00000;

/**
 * Candidates by op0, bits 28:25, which name the group (Arm ARM C4.1); by the upper part of the key;
 * and by that, then the lower part. Each is found among those before, when first asked for.
 */
const groups: (Encoding[] | undefined)[] = new Array(1 << 4);
const coarse: (Encoding[] | undefined)[] = new Array(UPPER_KEYS);
const fine: ((Encoding[] | undefined)[] | undefined)[] = new Array(UPPER_KEYS);

const GROUP_MASK = 0x1e000000;

function matching(list: readonly Encoding[], word: number, mask: number): Encoding[] {
  return list.filter((e) => ((e.value ^ word) & e.mask & mask) === 0);
}

/**
 * The encodings of words that agree with this one in `known` bits, `KEY_MASK` or
 * `UPPER_KEY_MASK`: the most specific first.
 */
export function candidates(word: number, known: number): readonly Encoding[] {
  const upperKey = word >>> UPPER_KEY_SHIFT, upper = coarse[upperKey] ??= matching(groupOf(word), word, UPPER_KEY_MASK);
  if (known === UPPER_KEY_MASK) return upper;
  const lists = fine[upperKey] ??= new Array(LOWER_KEYS);
  return lists[word >>> LOWER_KEY_SHIFT & LOWER_KEYS - 1] ??= matching(upper, word, KEY_MASK);
}

function groupOf(word: number): Encoding[] {
  return groups[word >>> 25 & 15] ??= bySpecificity(matching(encodingsFor(word), word, GROUP_MASK));
}

/**
 * Encodings in the order of matching: more fixed bits first; those that have equally many keep the
 * order of the table.
 */
function bySpecificity(encodings: readonly Encoding[]): Encoding[] {
  const byBits: Encoding[][] = Array.from({ length: 33 }, () => []);
  let bits = 0, counted = 0;
  for (const encoding of encodings) {
    // The encodings of an instruction are adjacent, with the same mask.
    if (encoding.mask !== counted) {
      bits = 0;
      for (let rest = counted = encoding.mask; rest; rest &= rest - 1) bits++;
    }
    byBits[32 - bits].push(encoding);
  }
  return byBits.flat();
}

/** The encoding of an instruction word (unsigned or signed 32 bits), or undefined. */
export function decode(word: number): Encoding | undefined {
  for (const encoding of candidates(word, KEY_MASK)) {
    if (((encoding.value ^ word) & encoding.mask) !== 0) continue;
    const { unallocated } = encoding.instruction;
    return unallocated !== ALWAYS_ALLOCATED && unallocated(fieldValues(encoding.instruction, word)) ? undefined : encoding;
  }
  return undefined;
}
