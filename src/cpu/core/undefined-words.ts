// Instructions that took an UNDEFINED exception: each word is reported once.

import { type Cpu, lackOf } from "../isa/cpus/cpus.ts";
import { disassemble } from "../isa/disassemble.ts";
import { nameWord } from "../isa/word-names.ts";

/**
 * Limit on the distinct UNDEFINED instruction words that are reported, since a guest can execute
 * any number of them.
 */
const UNDEFINED_WORDS = 4096;

/**
 * An instruction that took an UNDEFINED exception: the core does not have it, or not at that
 * exception level.
 */
export interface UndefinedInstruction {
  readonly word: number;
  /** Assembly text: mnemonic, a tab, operands. */
  readonly text: string;
  /** The level it needs, or the feature and the CPUs that have it; empty if it is of no feature. */
  readonly lack: string;
  /** Virtual and physical address. */
  readonly pc: bigint;
  readonly pa: number;
}

export class UndefinedWords {
  readonly #known = new Set<number>();

  constructor(readonly cpu: Cpu) {}

  /** Whether a word has not been met before, and is to be reported. */
  isNew(word: number): boolean {
    if (this.#known.has(word) || this.#known.size >= UNDEFINED_WORDS) return false;
    this.#known.add(word);
    return true;
  }

  /** @param el the exception level that it was executed at */
  describe(word: number, pc: bigint, pa: number, el: 0 | 1): UndefinedInstruction {
    const { name = "", feature, level = 0 } = nameWord(word) ?? {};
    const lack = level > el ? `EL${level}${name && ` (${name})`}` : feature === undefined ? "" : lackOf(feature, this.cpu);
    return { word, text: disassemble(word, pc), lack, pc, pa };
  }
}
