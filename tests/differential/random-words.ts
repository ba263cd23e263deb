// Random instruction words of an encoding of the table.

import { decode } from "../../src/cpu/isa/decode.ts";
import { fieldValues } from "../../src/cpu/isa/notation/insn.ts";
import type { InstructionForm } from "../../src/cpu/isa/table.ts";
import type { Random } from "../support/random.ts";

/**
 * Tries for one word; encodings whose other fields leave less than about one in a thousand are too
 * rare to guess.
 */
const TRIES = 5000;

/**
 * A random word that decodes to `encoding` and is neither unallocated nor CONSTRAINED
 * UNPREDICTABLE.
 * @param constrain changes the word before it is used, to fix registers.
 * @returns undefined when none was found.
 */
export function randomWord(
  encoding: InstructionForm,
  random: Random,
  constrain: (word: number) => number = (word) => word,
): number | undefined {
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const free = ~encoding.mask;
    const word = ((constrain((random.word() & free | encoding.value) >>> 0) & free) | encoding.value) >>> 0;
    if (decode(word) === encoding && !encoding.instruction.unpredictable(fieldValues(encoding.instruction, word))) return word;
  }
}

/** Name of an encoding: the entry, with the values of its shape fields. */
export function encodingName({ instruction, shape }: InstructionForm): string {
  const fields = Object.entries(shape).map(([name, value]) => `${name}=${value}`);
  return fields.length > 0 ? `${instruction.name} ${fields.join(" ")}` : instruction.name;
}
