// A run that other machines can go through again, from its start or from a state of it that was
// kept.

import type { Milestone } from "./history.ts";
import type { Moment, Past } from "./past.ts";
import type { IndexedPlace, WrittenObject } from "./written-index.ts";

export interface Rerun {
  /** The last place before a moment whose state was kept; undefined: the start. */
  milestone(moment: Moment): Milestone | undefined;
  /** Another machine there. */
  pastAt(milestone: Milestone | undefined): Past;
  /** Whether an object may have been written between two places. */
  mayBeWritten(first: Milestone | undefined, last: IndexedPlace, object: WrittenObject): boolean;
}
