// A verdict that does not change: the same at each instant and a millisecond later.

import assert from "node:assert/strict";
import type { GuestSystem } from "../../src/session/assembly/system/guest-system.ts";
import { runUntil } from "../session/inspection/system.ts";

/** Virtual time (ns) between the two questions of a pair. */
const LATER = 1e6;
/** Windows in which pairs overlap, and by which time (ns) each is farther from the one before. */
const WINDOWS = 4, APART = 5e6;

/**
 * Runs on, and asks in pairs, which overlap where there are many: each answer is the first of one
 * pair or the second of another, so that a guest that takes long to run need not run for long.
 * @param said the verdict
 */
export function assertLasting(system: GuestSystem, said: (system: GuestSystem) => unknown, pairs: number): void {
  const windows = Math.min(WINDOWS, pairs), inOne = Math.ceil(pairs / windows);
  let { time } = system.machine;
  for (let window = 0; window < windows; window++, time += window * APART) {
    const answers: unknown[] = [];
    for (let index = 0; index < 2 * inOne; index++, time += LATER / inOne) {
      runUntil(system, time);
      answers.push(said(system));
      if (index >= inOne) assert.deepEqual(answers[index], answers[index - inOne], `at ${time / 1e6} ms`);
    }
  }
}
