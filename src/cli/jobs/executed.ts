// Job: runs recordings again on cores that count, and says what their VMs have executed.

import { type JobPort, made } from "./job.ts";
import { type ExecutedVm, together } from "../../inspection/execution/executed.ts";
import { CodeNaming } from "../../inspection/execution/code-names.ts";
import { readExecuted } from "../../inspection/execution/read-executed.ts";
import { beginAgain } from "../../recordings/again.ts";
import type { Recording } from "../../recordings/recording.ts";

/** Wall time (ms) between two reports of the progress. */
const SLICE = 100;

/** Reports the instructions so far, of all recordings together. */
export function job(recordings: readonly Recording[], port: JobPort<number>): ExecutedVm[] {
  let before = 0;
  return together(recordings.map((recording) => {
    const past = made(() => beginAgain(recording, true)), { system } = past;
    const naming = new CodeNaming(system);
    while (!past.advance(Infinity, SLICE)) port.say(before + system.instructions());
    before += system.instructions();
    return readExecuted(system.core.countedPages(), (vm) => naming.of(vm));
  }));
}
