// The last characters of a text that keeps growing, searched for patterns.

import type { LinearRegex } from "./linear-regex.ts";

export class RecentText {
  #text = "";

  /** @param most characters that are kept; for a while there may be twice as many */
  constructor(readonly most: number) {}

  add(text: string): void {
    // Cut at twice the size, so that each character is copied about once.
    const all = this.#text + (text.length > this.most ? text.slice(-this.most) : text);
    this.#text = all.length > 2 * this.most ? all.slice(-this.most) : all;
  }

  /** The first match; it and the text before it are then taken away. */
  take(pattern: LinearRegex): string | undefined {
    const match = pattern.find(this.#text);
    if (!match) return undefined;
    const found = this.#text.slice(match.index, match.end);
    this.#text = this.#text.slice(match.end);
    return found;
  }

  /** Takes the first line away, without its end; undefined if none has come to its end. */
  takeLine(): string | undefined {
    const end = this.#text.indexOf("\n");
    if (end < 0) return undefined;
    const line = this.#text.slice(0, end);
    this.#text = this.#text.slice(end + 1);
    return line;
  }

  /** Its last characters. */
  tail(count: number): string {
    return this.#text.slice(-count);
  }
}
