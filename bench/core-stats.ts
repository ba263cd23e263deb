// What el2's core did in a run, for people: how fast it was, and what the translator counted.

import type { CoreStats } from "./machines.ts";

/** Million instructions a second of a process that took so many milliseconds. */
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
