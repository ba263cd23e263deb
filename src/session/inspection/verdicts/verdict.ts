// A verdict on a VM, before its row says whose it is.

import type { Reason } from "../../../machine/abi/trace.ts";
import type { Evidence } from "../../../model/queries/facts/evidence.ts";
import type { VerdictFact } from "../../../model/queries/facts/verdict.ts";

/** The activity, wait or defect of a VM, and what that follows from. */
export interface Verdict {
  readonly fact: VerdictFact;
  readonly evidence?: readonly Evidence[];
  /** The refusal that led to it. */
  readonly reason?: Reason;
  /** The command that shows more. */
  readonly next?: string;
}
