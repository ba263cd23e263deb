// Job: runs recordings again, and counts events of their VMs.

import { type JobPort, made } from "./job.ts";
import { type CountedEvents, type CountedKind, EventCounts } from "../../inspection/execution/event-counts.ts";
import { beginAgain } from "../../recordings/again.ts";
import type { Recording } from "../../recordings/recording.ts";

/** Wall time (ms) between two reports of the progress. */
const SLICE = 100;

interface Wanted {
  readonly recordings: readonly Recording[];
  readonly kind: CountedKind;
}

/** Reports the instructions so far, of all recordings together. */
export function job({ recordings, kind }: Wanted, port: JobPort<number>): CountedEvents[] {
  const counts = new EventCounts(kind);
  let before = 0;
  for (const recording of recordings) {
    const past = made(() => beginAgain(recording)), { system } = past;
    system.inspector.system.hypervisor.trace.listen(counts.kinds, (event) => counts.see(event));
    while (!past.advance(Infinity, SLICE)) port.say(before + system.instructions());
    counts.end(system.machine.time);
    before += system.instructions();
  }
  return counts.all;
}
