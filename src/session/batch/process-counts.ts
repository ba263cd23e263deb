// Job: runs recordings again, and counts the instructions of their processes.

import type { JobPort } from "./job.ts";
import { repeatedRuns } from "./repeated-runs.ts";
import { ProcessCounts, type ProcessInstructions } from "../inspection/execution/process-counts.ts";
import type { Recording } from "../recordings/file/recording.ts";

export function job(recordings: readonly Recording[], port: JobPort<number>): ProcessInstructions[] {
  const counts = new ProcessCounts();
  repeatedRuns(recordings, port, false, (system) => {
    const { hypervisor } = system.inspector.system;
    hypervisor.trace.listen(counts.kinds, (event) => counts.see(event));
    counts.begin(hypervisor);
    return () => counts.end();
  });
  return counts.all;
}
