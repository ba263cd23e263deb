// The entries of the table that belong to features which not every CPU has (features.ts).

import { flags } from "./flags.ts";
import type { Instruction } from "./insn.ts";

/** The table's part for them. */
export const extensions = (): readonly Instruction[] => [...flags()];
