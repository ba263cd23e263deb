// The decoder of the whole table, for texts about words that no CPU executes here. A core decodes
// by the instructions of its CPU.

import { ALL_INSTRUCTIONS } from "./instruction-set.ts";
import type { InstructionForm } from "./table.ts";

/** The encoding of an instruction word (unsigned or signed 32 bits), or undefined. */
export const decode = (word: number): InstructionForm | undefined => ALL_INSTRUCTIONS.decode(word);
