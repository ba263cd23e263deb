// Job: runs recordings again, and takes the times of interrupts, timers, messages, requests,
// accesses and disks.

import type { JobPort } from "./job.ts";
import { repeatedRuns } from "./repeated-runs.ts";
import { Latencies, type Latency } from "../inspection/execution/latencies.ts";
import { observeDisks, pendingIn, timersDueIn } from "../inspection/execution/latency-sources.ts";
import type { Recording } from "../recordings/file/recording.ts";

export function job(recordings: readonly Recording[], port: JobPort<number>): Latency[] {
  const latencies = new Latencies();
  repeatedRuns(recordings, port, false, (system) => {
    const { hypervisor } = system.inspector.system;
    latencies.begin(pendingIn(hypervisor), timersDueIn(hypervisor));
    observeDisks(system.inspector.system, latencies);
    hypervisor.trace.listen(latencies.kinds, (event) => latencies.see(event));
    return () => {};
  });
  return latencies.all;
}
