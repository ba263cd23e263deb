// Counters of el2's core in a run, for display: its speed, and the counts of the translator.

import type { CoreStats } from "./machines.ts";

/** Million instructions per second of a process that took this many milliseconds. */
export function guestMips(core: CoreStats | undefined, milliseconds: number): number | undefined {
  return core && core.instructions / milliseconds / 1000;
}

/** A line for the speed, and one for the translator where there is one. */
export function printCore(core: CoreStats | undefined, milliseconds: number): void {
  if (!core) return;
  console.log(`whole process of the last round: ${guestMips(core, milliseconds)!.toFixed(0)} guest MIPS`);
  if (!core.translator) return;
  console.log(`translator: ${Object.entries(core.translator).map(([what, n]) => `${what} ${Math.round(n)}`).join(", ")}`);
}
