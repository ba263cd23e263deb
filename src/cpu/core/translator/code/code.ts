// Code as the translator looks at it.

import type { Instructions } from "./instruction.ts";

/** Pages of code that follow each other in virtual memory. */
export interface CodePages {
  /** The meaning of words. */
  readonly instructions: Instructions;
  /**
   * Whether the page of this instruction is known. Regions may extend into the pages next to the
   * head's.
   */
  has(index: number): boolean;
  /** The word of an instruction of a known page. */
  word(index: number): number;
  /** Whether the instruction was executed, or at least decoded, and has no breakpoint. */
  isKnown(index: number): boolean;
  /** Whether a region begins there. */
  isHead(index: number): boolean;
}
