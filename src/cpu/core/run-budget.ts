// The budget of the run in progress: in instructions, each of which is 1 ns of virtual time.

import type { RepeatedExits } from "./exceptions/repeated-exits.ts";
import type { CpuFields } from "./state/cpu-fields.ts";

export class RunBudget {
  readonly #cpu: CpuFields;
  /** Where the budget began, in virtual time (ns). */
  #begun = NaN;
  #budget = 0;
  /** The rest of it after the slice. */
  #behind = 0;

  constructor(cpu: CpuFields) {
    this.#cpu = cpu;
  }

  /** @param now virtual time, ns */
  begin(now: number, budget: number): void {
    this.#begun = now;
    this.#budget = budget;
  }

  /** Nothing is left. */
  end(): void {
    this.#budget = 0;
    this.#behind = 0;
  }

  get hasEnded(): boolean {
    return this.#budget === 0;
  }

  /** Time passes with the instructions of a slice up to its end. */
  slice(left: number, slice: number): void {
    this.#behind = left - slice;
    this.#cpu.RUN_END = this.#begun + (this.#budget - this.#behind);
  }

  /** The rest of the budget where `rest` is left of the slice. */
  left(rest: number): number {
    return rest + this.#behind;
  }

  /** Virtual time (ns), and instructions that were executed, where `left` is left of the budget. */
  timeAt(left: number): number {
    return this.#begun + (this.#budget - left);
  }

  retired(left: number): number {
    return this.#budget - left;
  }

  /** EL2 has counted the first instructions. */
  pass(instructions: number): void {
    this.#begun += instructions;
    this.#budget -= instructions;
  }

  /** The core has answered exits by itself, and continues with the budget after the last. */
  takeRepeats({ now, budget, slice }: RepeatedExits): void {
    this.#begun = now;
    this.#budget = budget;
    this.#behind = budget - slice;
  }
}
