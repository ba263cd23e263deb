// How often a core left to EL2, by what for.

import { ExceptionClass } from "../architecture/exceptions.ts";
import { ExitReason } from "./exit.ts";

const CLASSES = 64;

/** Names of what the classes of exceptions to EL2 are for; all others are `other`. */
const NAMES: readonly (readonly [name: string, exceptionClass: number])[] = [
  ["waits", ExceptionClass.Wfx],
  ["hvc", ExceptionClass.Hvc],
  ["smc", ExceptionClass.Smc],
  ["systemRegisters", ExceptionClass.SystemRegister],
  ["instructionAborts", ExceptionClass.InstructionAbortLower],
  ["dataAborts", ExceptionClass.DataAbortLower],
];

/** Index of the count of device accesses; those before it are by class. */
const DEVICES = CLASSES;

/** Counts of exits with a syndrome: an array, as every exit counts. */
export const newExitCounts = (): Float64Array => new Float64Array(CLASSES + 1);

/** The index of an exit's count. @param exceptionClass of the syndrome */
export const exitCountOf = (reason: ExitReason, exceptionClass: number): number => reason === ExitReason.Bus ? DEVICES : exceptionClass;

/** The counts by name: `devices` are accesses to addresses that stage 2 maps to a device. */
export function namedExitCounts(counts: Float64Array): Record<string, number> {
  const named: Record<string, number> = { devices: counts[DEVICES] };
  let other = 0;
  for (let exceptionClass = 0; exceptionClass < CLASSES; exceptionClass++) other += counts[exceptionClass];
  for (const [name, exceptionClass] of NAMES) {
    named[name] = counts[exceptionClass];
    other -= counts[exceptionClass];
  }
  return { ...named, other };
}
