// Which pairs of arms have an arm for both (interpreter/fusion.ts makes these).

import type { FusedArm } from "./arms.ts";

/** The arms for pairs. */
export class FusedArms {
  readonly #arms = new Map<number, Map<number, number>>();
  /** For each fused arm, the one that executes its first instruction alone. */
  readonly #first: number[] = [];

  constructor(readonly pairs: readonly FusedArm[]) {
    for (const [first, second, fused] of pairs) this.#add(first, second, fused);
  }

  /** Whether any pair begins with this arm. */
  startsPair(arm: number): boolean {
    return this.#arms.has(arm);
  }

  /** The arm for two arms in a row, or undefined. */
  get(first: number, second: number): number | undefined {
    return this.#arms.get(first)?.get(second);
  }

  /** The arm that executes the first instruction of this arm alone. */
  firstOf(arm: number): number {
    return this.#first[arm] ?? arm;
  }

  #add(first: number, second: number, fused: number): void {
    let seconds = this.#arms.get(first);
    if (!seconds) this.#arms.set(first, seconds = new Map());
    seconds.set(second, fused);
    this.#first[fused] = first;
  }
}
