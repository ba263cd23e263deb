// Job: compares two recordings.

import { type JobPort, made } from "./job.ts";
import { diffRecordings } from "../recordings/runs/diff.ts";
import type { Recording } from "../recordings/file/recording.ts";

/** Tells how many instructions have been compared. */
export function job([first, second]: readonly [Recording, Recording], port: JobPort<number>): ReturnType<typeof diffRecordings> {
  return made(() => diffRecordings(first, second, (instructions) => port.say(instructions)));
}
