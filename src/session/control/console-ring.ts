// The newest output of a console, for clients that attach later: bounded, with a count of lost
// bytes.

import { KiB, MiB } from "../../kit/support/values/sizes.ts";

/** Bytes that a ring keeps by default. */
export const CAPACITY = MiB;
/** Bytes for which a ring has room at first. */
const FIRST = 4 * KiB;
const LINE_FEED = 10;

/**
 * The ring of one console. Output comes in pieces of a few bytes for days: they are copied into one
 * buffer, as each object would take a hundred times its bytes.
 */
export class ConsoleRing {
  #capacity: number;
  /** The kept output: it begins at `#start`, and continues at the buffer's beginning. */
  #data = new Uint8Array(0);
  #start = 0;
  #size = 0;
  /** Bytes that are no longer kept: also the place of the first that is, counted from the start. */
  lost = 0;
  /** The place of the first byte after the last input; undefined without input. */
  input: number | undefined;

  constructor(capacity = CAPACITY) {
    this.#capacity = capacity;
  }

  /** Bytes that are kept. */
  get size(): number {
    return this.#size;
  }

  /** The place after the newest byte, counted from the start of the console. */
  get end(): number {
    return this.lost + this.#size;
  }

  add(bytes: Uint8Array): void {
    const kept = bytes.subarray(Math.max(0, bytes.length - this.#capacity));
    this.lost += bytes.length - kept.length;
    this.#drop(this.#size + kept.length - this.#capacity);
    if (this.#size + kept.length > this.#data.length) {
      this.#move(Math.min(this.#capacity, Math.max(FIRST, 2 * this.#data.length, this.#size + kept.length)));
    }
    const end = this.#start + this.#size, at = end < this.#data.length ? end : end - this.#data.length;
    const first = kept.subarray(0, this.#data.length - at);
    this.#data.set(first, at);
    this.#data.set(kept.subarray(first.length));
    this.#size += kept.length;
  }

  /** Takes another capacity, and drops the oldest output beyond it. */
  limit(capacity: number): void {
    this.#capacity = capacity;
    this.#drop(this.#size - capacity);
    if (this.#data.length > capacity) this.#move(capacity);
  }

  /** Where the kept output starts; at the beginning of a line if output was lost. */
  get start(): number {
    return this.lost === 0 ? 0 : this.lost + this.read(this.lost).indexOf(LINE_FEED) + 1;
  }

  /** A copy of the output from a place that is kept: all of it, or `most` bytes. */
  read(from: number, most = Infinity): Uint8Array {
    const piece = new Uint8Array(Math.min(most, this.end - from));
    this.#copyTo(piece, from - this.lost);
    return piece;
  }

  /** Drops the oldest bytes; none if the count is negative. */
  #drop(count: number): void {
    if (count <= 0) return;
    this.#start = (this.#start + count) % this.#data.length;
    this.#size -= count;
    this.lost += count;
  }

  /** Moves the kept output to the beginning of a new buffer. */
  #move(size: number): void {
    const data = new Uint8Array(size);
    this.#copyTo(data.subarray(0, this.#size));
    this.#data = data;
    this.#start = 0;
  }

  /** Fills `target` with the kept output that begins `skipped` bytes after the oldest. */
  #copyTo(target: Uint8Array, skipped = 0): void {
    const begin = this.#start + skipped, at = begin < this.#data.length ? begin : begin - this.#data.length;
    const first = this.#data.subarray(at, at + target.length);
    target.set(first);
    target.set(this.#data.subarray(0, target.length - first.length), first.length);
  }
}
