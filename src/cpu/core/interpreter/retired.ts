// The kinds of an instruction that the performance monitors count (`Retired`), from its meaning.

import type { InstructionSet } from "../../isa/instruction-set.ts";
import { semanticsOf } from "../../isa/table.ts";
import { Retired } from "../exceptions/performance-events.ts";
import { statementsOf } from "./meaning.ts";

/** The high half of RET, RETAA and RETAB, the branches that are procedure returns. */
const RETURN = 0xd65f;

/** By their functions: the main parts of memory copies and sets, whose branch only repeats them. */
const OPERATIONS: Readonly<Record<string, number>> = { copyMemory: Retired.Load | Retired.Store, setMemory: Retired.Store };

/** The bits of `Retired` of a word; 0 also for one that is UNDEFINED. */
export function retiredKinds(set: InstructionSet, word: number): number {
  const encoding = set.decode(word);
  if (!encoding) return 0;
  const statements = statementsOf(semanticsOf(encoding).statements);
  const isExclusive = statements.some((s) => s.kind === "setState" && s.name === "EXCLUSIVE");
  let kinds = 0;
  for (const s of statements) {
    if (s.kind === "load" || s.kind === "loadPair") kinds |= Retired.Load;
    else if (s.kind === "store" || s.kind === "storePair") kinds |= Retired.Store;
    // Memory that is changed in place: atomic operations load as well.
    else if (s.kind === "ramAddress") kinds |= s.zero || isExclusive ? Retired.Store : Retired.Load | Retired.Store;
    else if (s.kind === "branch") kinds |= Retired.Branch | Retired.Immediate;
    else if (s.kind === "branchTo") kinds |= Retired.Branch | (word >>> 16 === RETURN ? Retired.Return : 0);
    else if (s.kind === "call" && s.name in OPERATIONS) return OPERATIONS[s.name];
    else if (s.kind === "call" && s.name.endsWith("xceptionReturn")) kinds |= Retired.ExceptionReturn;
  }
  return kinds;
}
