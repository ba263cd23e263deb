// The decoder of the whole table, for texts about words that no CPU executes here: disassembly, and
// the feature that a word belongs to. A core decodes by the instructions of its CPU.

import type { FeatureName } from "./features.ts";
import { ALL_INSTRUCTIONS } from "./instruction-set.ts";
import type { Encoding } from "./table.ts";

/** The encoding of an instruction word (unsigned or signed 32 bits), or undefined. */
export const decode = (word: number): Encoding | undefined => ALL_INSTRUCTIONS.decode(word);

/** Bits 28:25 of a word, and their values in SVE and, with bit 31 set, SME (Arm ARM C4.1). */
const GROUP_SHIFT = 25, SVE_GROUP = 0b0010, SME_GROUP = 0b0000;

/**
 * The feature that a CPU lacks where a word is UNDEFINED although the architecture has it;
 * undefined for words of every CPU, and for those that el2 knows nothing of.
 */
export function featureOfWord(word: number): FeatureName | undefined {
  const group = word >>> GROUP_SHIFT & 15;
  if (group === SVE_GROUP) return "FEAT_SVE";
  if (group === SME_GROUP && word >>> 31 === 1) return "FEAT_SME";
  return decode(word)?.instruction.feature;
}
