// Recordings that a job runs again, each to its end.

import { type JobPort, made } from "./job.ts";
import { beginAgain } from "../recordings/runs/replay.ts";
import type { Past } from "../recordings/past/past.ts";
import type { Recording } from "../recordings/file/recording.ts";

/** Wall time (ms) between two reports of the progress. */
const SLICE = 100;

/** Virtual time (ns) between two looks for kernels: at the same places in each run. */
const FOLLOWED = 20e6;

/**
 * Reports the instructions so far, of all recordings together.
 * @param isCounted whether the cores count what they execute
 * @param begin before a run; what it returns is called at the end
 */
export function repeatedRuns<T>(
  recordings: readonly Recording[],
  port: JobPort<number>,
  isCounted: boolean,
  begin: (system: Past["system"]) => () => T,
): T[] {
  let before = 0;
  return recordings.map((recording) => {
    const past = made(() => beginAgain(recording, isCounted)), { system } = past, end = begin(system);
    const { machine, kernelEvents } = system;
    for (let time = machine.time; kernelEvents.wanted && machine.time >= time; port.say(before + system.instructions())) {
      time += FOLLOWED;
      past.advance({ time }, Infinity);
    }
    while (!past.advance(Infinity, SLICE)) port.say(before + system.instructions());
    before += system.instructions();
    return end();
  });
}
