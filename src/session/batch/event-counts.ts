// Job: runs recordings again, and counts events of their VMs.

import type { JobPort } from "./job.ts";
import { repeatedRuns } from "./repeated-runs.ts";
import { type CountedEvents, type CountedKind, EventCounts } from "../inspection/execution/event-counts.ts";
import type { Recording } from "../recordings/file/recording.ts";

interface WantedCounts {
  readonly recordings: readonly Recording[];
  readonly kind: CountedKind;
}

export function job({ recordings, kind }: WantedCounts, port: JobPort<number>): CountedEvents[] {
  const counts = new EventCounts(kind);
  repeatedRuns(recordings, port, false, (system) => {
    system.inspector.system.hypervisor.trace.listen(counts.kinds, (event) => counts.see(event));
    return () => counts.end(system.machine.time);
  });
  return counts.all;
}
