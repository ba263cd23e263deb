// Recordings: a plan and all input to its machine from outside, each with its place in virtual
// time. The same plan and inputs give the same run, so that a recording is the run
// (docs/design/decisions.md §3).
//
// A file of JSON lines (`plain-json.ts`), readable in an editor:
//   header   {"schema":"el2.recording/2","version":"..","engine":"..","commit":"..","plan":{..}}
//            and "sources":{"NAME":".."} in a copy that has source files (`sources.ts`)
//   input    {"at":NS,"settled":BOOL,"input":{..}}      in order
//   check    {"at":NS,"check":{..}}                     registers at a place, for replays
//   end      {"at":NS,"end":{..}}                       how it ended, with hashes of everything
//   sum      {"sha256":".."}                            of all bytes before this line
// The plan is a table of a configuration with the files that it names (model/plans/saved-plan.ts).
// Files above a size are not in it but in the cache, under their hash (`plan-files.ts`).

import type { SessionPlan } from "../../../model/plans/plan.ts";
import type { PlainPlace } from "../../../model/queries/move.ts";
import type { RecordedRun, Sources } from "../../../model/plans/recorded-run.ts";
import type { Maker } from "../../../kit/support/files/maker.ts";
import { UserError } from "../../../kit/support/problem.ts";

export const SCHEMA = "el2.recording/2";

export interface Recording extends RecordedRun {
  readonly plan: SessionPlan;
  /** Only the run up to this place is meant: a link named it. */
  readonly until?: PlainPlace;
}

/** The content of a recording's file, whose plan is still to be made. */
export interface RecordingFile extends RecordedRun {
  /** Which el2 made it. */
  readonly maker: Maker;
  /** `SavedPlan`, if the file is right: anybody may have written it. */
  readonly saved: unknown;
  readonly sources: Sources;
  /** The snapshot that the run began with. */
  readonly from: SessionPlan["from"];
}

/** A defect of a recording, for its user. */
export class RecordingError extends UserError {}
