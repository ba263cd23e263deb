// Runs a machine and checks it all the time: none of its VMs may get a verdict that is not
// healthy, nor evidence of what may fail on a board.

import assert from "node:assert/strict";
import type { GuestSystem } from "../../src/session/assembly/system/guest-system.ts";
import type { Evidence } from "../../src/model/queries/facts/evidence.ts";
import { rowsOf } from "../../src/model/queries/query.ts";
import { diagnosisLines } from "../../src/model/queries/texts/diagnosis-text.ts";
import { DIAGNOSES } from "../../src/model/queries/tables.ts";
import { runUntil } from "../session/inspection/system.ts";

/** Virtual time (ns) between two looks. No round number, so that looks fall on all moments. */
const LOOK = 9.7e6;

/**
 * Evidence of what works here and may fail on a board. Atomic accesses to Device memory are not
 * among it: all memory is, in small guests that leave the MMU off.
 */
const ON_BOARDS: ReadonlySet<string> = new Set<Evidence["code"]>(["board", "stale-translation"]);

/** Fails where a VM has an unhealthy verdict or such evidence now. Gives the verdicts. */
export function assertHealthy(system: GuestSystem): string[] {
  const rows = rowsOf(DIAGNOSES, system.inspector.answer({ table: "diagnose", args: {} }));
  const isSick = ({ healthy, because }: typeof rows[number]) => !healthy || because.some(({ code }) => ON_BOARDS.has(code));
  const sick = rows.filter(isSick).flatMap(diagnosisLines);
  assert.deepEqual(sick, [], `at t=${system.machine.time / 1e9}s`);
  return rows.map(({ verdict }) => verdict);
}

/** Runs to a virtual time (ns), or to the machine's end, and looks. Gives the last verdicts. */
export function runHealthy(system: GuestSystem, until: number): string[] {
  const { machine } = system;
  let verdicts: string[] | undefined;
  for (let next = machine.time; machine.time < until && !system.ended();) {
    next = Math.min(until, next + LOOK);
    runUntil(system, next);
    verdicts = assertHealthy(system);
  }
  return verdicts ?? assertHealthy(system);
}
