// A verdict on a VM, as its rows have it before they know whose they are.

import type { VerdictWord } from "../../queries/verdicts.ts";

/** The activity or wait of a VM, and the evidence. */
export interface Verdict {
  readonly verdict: VerdictWord;
  readonly text: string;
  readonly evidence?: readonly string[];
  /** The command that shows more. */
  readonly next?: string;
}
