// Drivers that a kernel has: built in, or as modules that are loaded.

import { readModules } from "./modules.ts";
import type { Reading } from "../kernel/reading.ts";

/** A driver: the name of its module, and one of its functions. */
export type Driver = readonly [module: string, probe: string];

/** Drivers that are neither in the kernel nor loaded, by the names of their modules. */
export function absentDrivers(reading: Reading, drivers: readonly Driver[]): string[] {
  const loaded = new Set(readModules(reading).map(({ name }) => name));
  return drivers.filter(([module, probe]) => !loaded.has(module) && reading.kernel.find(reading.memory, probe) === undefined)
    .map(([module]) => module);
}
