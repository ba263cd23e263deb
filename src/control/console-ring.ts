// The newest output of a console, for clients that attach later: bounded, with a count of lost
// bytes.

import { MiB } from "../support/sizes.ts";
import { joined } from "../support/bytes.ts";

/** Bytes that a ring keeps by default. */
export const CAPACITY = MiB;
const LINE_FEED = 10;

/** The ring of one console. */
export class ConsoleRing {
  #chunks: Uint8Array[] = [];
  #size = 0;
  /** Bytes that are no longer kept. */
  lost = 0;

  constructor(public capacity = CAPACITY) {}

  /** Bytes that are kept. */
  get size(): number {
    return this.#size;
  }

  add(bytes: Uint8Array): void {
    this.#chunks.push(bytes);
    this.#size += bytes.length;
    this.trim();
  }

  /** Drops the oldest output beyond the capacity. */
  trim(): void {
    while (this.#chunks.length > 1 && this.#size - this.#chunks[0].length >= this.capacity) {
      const oldest = this.#chunks.shift()!;
      this.#size -= oldest.length;
      this.lost += oldest.length;
    }
  }

  /** The kept output in one piece; it starts at the beginning of a line if output was lost. */
  contents(): Uint8Array {
    const all = joined(this.#chunks);
    return this.lost ? all.subarray(all.indexOf(LINE_FEED) + 1) : all;
  }
}
