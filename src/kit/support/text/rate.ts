// How much of some long work is done, how fast it goes, and how long the rest takes.

import { countText, durationText } from "./number-text.ts";

/** Wall time (ms) after which a rate says something. */
const RATE_AFTER = 500;

export class Rate {
  #start = performance.now();
  #first: number | undefined;

  /** @param unit what is counted */
  constructor(readonly unit: string) {}

  /**
   * `3.0M of 12.0M bytes, 1.5M/s, 6 s left`, of ns `0.2ms of 1.0ms, …`; without `all` the end is
   * not known.
   */
  of(done: number, all?: number): string {
    // Work that goes to an earlier part begins anew.
    if (this.#first !== undefined && done < this.#first) {
      this.#first = done;
      this.#start = performance.now();
    }
    this.#first ??= done;
    const time = performance.now() - this.#start, rate = (done - this.#first) / time * 1000;
    const [text, unit] = this.unit === "ns" ? [durationText, ""] : [countText, ` ${this.unit}`];
    const amount = `${text(done)}${all === undefined ? "" : ` of ${text(all)}`}${unit}`;
    if (time < RATE_AFTER || rate === 0) return amount;
    const left = all === undefined ? "" : `, ${Math.ceil(Math.max(all - done, 0) / rate)} s left`;
    return `${amount}, ${text(rate)}/s${left}`;
  }
}
