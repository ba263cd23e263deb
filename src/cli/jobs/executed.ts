// Job: runs recordings again on cores that count, and says what their VMs have executed.

import { type JobPort, made } from "./job.ts";
import { type ExecutedVm, together } from "../../inspection/execution/executed.ts";
import { CodeNaming } from "../../inspection/execution/code-names.ts";
import { readExecuted } from "../../inspection/execution/read-executed.ts";
import { beginAgain } from "../../recordings/again.ts";
import type { Recording } from "../../recordings/recording.ts";

/** Wall time (ms) between two words about the progress. */
const SLICE = 100;

/** Tells the instructions so far, and which recording they are of. */
export function job(recordings: readonly Recording[], port: JobPort<{ readonly index: number; readonly at: number }>): ExecutedVm[] {
  return together(recordings.map((recording, index) => executedOf(recording, (at) => port.say({ index, at }))));
}

/** @param progress takes the virtual time (ns) */
function executedOf(recording: Recording, progress: (at: number) => void): ExecutedVm[] {
  const past = made(() => beginAgain(recording, true)), { system } = past;
  const naming = new CodeNaming(system);
  while (!past.advance(Infinity, SLICE)) progress(system.machine.boundary);
  return readExecuted(system.core.countedPages(), (vm) => naming.of(vm));
}
