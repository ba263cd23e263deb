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

/** Counts of exits with a syndrome. */
export class ExitCounts {
  readonly #traps = new Float64Array(CLASSES);
  #devices = 0;

  /** @param exceptionClass of the syndrome */
  add(reason: ExitReason, exceptionClass: number): void {
    if (reason === ExitReason.Bus) this.#devices++;
    else this.#traps[exceptionClass]++;
  }

  /** The counts by name: `devices` are accesses to addresses that stage 2 maps to a device. */
  named(): Record<string, number> {
    const counts: Record<string, number> = { devices: this.#devices };
    let other = this.#traps.reduce((sum, count) => sum + count, 0);
    for (const [name, exceptionClass] of NAMES) {
      counts[name] = this.#traps[exceptionClass];
      other -= counts[name];
    }
    return { ...counts, other };
  }
}
