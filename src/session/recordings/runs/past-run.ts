// Recordings of runs that are over.

import { recordingHeader, RecordingWriter } from "../file/recording-writer.ts";
import type { EndState, RecordedInput } from "../../../model/plans/recorded-run.ts";
import type { SessionPlan } from "../../../model/plans/plan.ts";

/** A run's inputs, and its end at a virtual time (ns). */
export interface PastRun {
  readonly inputs: readonly RecordedInput[];
  readonly at: number;
  readonly end: EndState;
}

/** Writes the past run of a plan as a recording. */
export async function recordPast(path: string, plan: SessionPlan, { inputs, at, end }: PastRun): Promise<void> {
  using writer = new RecordingWriter(path, await recordingHeader(plan), true);
  for (const { at, settled, input } of inputs) writer.input({ at, settled }, input);
  writer.end(at, end);
}
