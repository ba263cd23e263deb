// Code as the translator sees it, without a machine: all of it has been executed, and no region
// begins in it.

import type { Code } from "../../../src/core/translator/region.ts";
import { assemble, type Line } from "../program.ts";

/** Code of these lines, from instruction 0. */
export function executedCode(lines: readonly Line[]): Code {
  const words = assemble(lines);
  const has = (index: number) => index in words;
  return { has, isKnown: has, word: (index) => words[index], isHead: () => false };
}
