// Travel forward to an event: the past continues until then, at most to where the machine really
// is.

import type { Moment, Past } from "./past.ts";

/** A way on, taken in slices. */
export class OnTo {
  #text: string | undefined;

  /**
   * @param past the present place; it continues
   * @param end where the machine really is
   * @throws FilterError
   */
  constructor(readonly past: Past, filter: string, readonly end: Moment) {
    past.system.stops.change({ kind: "event", filter });
    past.onHit = ({ text }) => {
      this.#text = text;
      return true;
    };
  }

  /**
   * Continues for at most `milliseconds` of wall time. Returns the event; undefined: call again;
   * `"none"`: nothing like it up to the end.
   */
  advance(milliseconds: number): { readonly text: string } | "none" | undefined {
    const there = this.past.advance(this.end, milliseconds);
    if (this.#text === undefined && !there) return undefined;
    this.leave();
    return this.#text === undefined ? "none" : { text: this.#text };
  }

  /** Nothing is looked for any more. */
  leave(): void {
    this.past.onHit = () => false;
    this.past.system.stops.change({ kind: "remove", rule: "all" });
  }
}
