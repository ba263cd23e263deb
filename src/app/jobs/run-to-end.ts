// How far a job's machine runs.

import type { System } from "../../session/assembly/system/system.ts";

/** Virtual time (ns) after which a run that does not end by itself is cut off. */
export const PATIENCE = 10e9;
/** Turns between two checks of the machine's progress. */
const TURNS = 10_000;

/**
 * Runs a machine until it has ended or waits for something from outside, at most up to a virtual
 * time (ns). `look` comes between turns.
 */
export function runToEnd(system: System, end: number, look: () => void = () => {}): void {
  const { machine } = system;
  while (machine.time < end && system.ended() === undefined) {
    const result = machine.run(end, TURNS);
    look();
    if (result.kind === "idle" && result.next !== Infinity) machine.skipTo(Math.min(result.next, end));
    else if (result.kind !== "turns") break;
  }
}
