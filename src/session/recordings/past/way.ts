// The way of a machine to a place of a run. Where it is long, a state shortly before its end is
// kept: the next question is often about the same place.

import type { Moment, Past } from "./past.ts";
import type { Rerun } from "./rerun.ts";

export class Way {
  readonly #stops: Moment[];

  /** @param instructions that are retired at the place */
  constructor(readonly rerun: Rerun, readonly past: Past, to: Moment, instructions: number) {
    const landing = rerun.landing?.(past, instructions);
    this.#stops = landing === undefined ? [to] : [landing, to];
  }

  /** Continues for at most `milliseconds` of wall time; whether the machine is there. */
  advance(milliseconds: number): boolean {
    while (this.past.advance(this.#stops[0], milliseconds)) {
      if (this.#stops.length === 1) return true;
      this.#stops.shift();
      this.rerun.keepPast?.(this.past);
    }
    return false;
  }
}
