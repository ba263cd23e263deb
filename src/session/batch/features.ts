// Job: what occurs in a recorded run.

import { eventRow } from "../inspection/readers/objects/read-trace.ts";
import { type JobPort, made } from "./job.ts";
import type { Recording } from "../recordings/file/recording.ts";
import { featuresOf, type RunFeatures } from "../recordings/runs/run-features.ts";

/** Tells the virtual time (ns) that it has come to. */
export function job(recording: Recording, port: JobPort<number>): RunFeatures {
  return made(() => featuresOf(recording, eventRow, (time) => port.say(time)));
}
