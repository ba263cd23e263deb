// A verdict that does not change: the same at each instant and a millisecond later.

import assert from "node:assert/strict";
import type { GuestSystem } from "../../src/assembly/system/guest-system.ts";
import { runUntil } from "../inspection/system.ts";

/** Virtual time (ns) between the two questions of a pair. */
const LATER = 1e6;

/**
 * Runs on, and asks in pairs.
 * @param said the verdict
 * @param more virtual time (ns) by which each pair is farther from the one before
 */
export function assertLasting(system: GuestSystem, said: (system: GuestSystem) => unknown, pairs: number, more: number): void {
  for (let index = 0, time = system.machine.time; index < pairs; index++, time += more * index) {
    runUntil(system, time);
    const before = said(system);
    runUntil(system, time += LATER);
    assert.deepEqual(said(system), before, `at ${time / 1e6} ms`);
  }
}
