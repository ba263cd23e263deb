// For commands that make machines in their own thread, and not in the machine's worker.

import type { System } from "../../assembly/system/system.ts";

/**
 * Cores come from the cache, and are stored there. Only callers of this load a machine's modules.
 */
export async function useCoreCache(): Promise<void> {
  const { keepCores } = await import("../../assembly/code/core-cache.ts");
  keepCores();
}

/** Virtual time (ns) after which a run that does not end by itself is cut off. */
export const PATIENCE = 10e9;
/** Turns between two checks of the machine's progress. */
const TURNS = 10_000;

/**
 * Runs a machine until it has ended or waits for something from outside, at most up to a virtual
 * time (ns). `look` comes between turns.
 */
export function runHere(system: System, end: number, look: () => void = () => {}): void {
  const { machine } = system;
  while (machine.time < end && system.ended() === undefined) {
    const result = machine.run(end, TURNS);
    look();
    if (result.kind === "idle" && result.next !== Infinity) machine.skipTo(Math.min(result.next, end));
    else if (result.kind !== "turns") break;
  }
}
