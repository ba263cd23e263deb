// Code as the translator sees it, without a machine: all of it has been executed, and no region
// begins in it.

import { ALL_INSTRUCTIONS } from "../../../../src/cpu/isa/instruction-set.ts";
import { instructionsOf } from "../../../../src/cpu/core/translator/code/instruction.ts";
import type { CodePages } from "../../../../src/cpu/core/translator/code/code.ts";
import { assemble, type Line } from "../program.ts";

/** The instructions of a CPU that has all. */
export const INSTRUCTIONS = instructionsOf(ALL_INSTRUCTIONS);

/** Code of these lines, from instruction 0. */
export const executedCode = (lines: readonly Line[]): CodePages => executedWords(assemble(lines));

/** Code of these words, of which the one at `entry` is instruction 0. */
export function executedWords(words: readonly number[], entry = 0): CodePages {
  const has = (index: number) => index + entry in words;
  return { instructions: INSTRUCTIONS, has, isKnown: has, word: (index) => words[index + entry], isHead: () => false };
}
