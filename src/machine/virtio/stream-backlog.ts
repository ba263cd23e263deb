// Data of a computer's stream that the guest has not received yet. The stream pauses at a limit.

import type { OutsideStream } from "./outside-network.ts";

/** Bytes for a guest, in the pieces that they came in. */
export class StreamBacklog {
  /** The stream that it pauses; set before the first byte. */
  stream: OutsideStream | undefined;
  #pieces: Uint8Array[] = [];
  #length = 0;
  #paused = false;

  /** @param limit bytes with which the stream pauses; it continues at half of them */
  constructor(readonly limit: number) {}

  /** @throws Error before it is set */
  get carrier(): OutsideStream {
    if (!this.stream) throw new Error("a connection has no stream yet");
    return this.stream;
  }

  /** Bytes that wait. */
  get length(): number {
    return this.#length;
  }

  /** Lets the stream wait until `flow`, whatever there is. */
  hold(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.carrier.pause();
  }

  /** Continues a waiting stream. */
  flow(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.carrier.resume();
  }

  push(bytes: Uint8Array): void {
    this.#pieces.push(bytes);
    this.#length += bytes.length;
    if (this.#length > this.limit) this.hold();
  }

  /** A copy of at most `size` bytes from the front, of one piece; empty if nothing waits. */
  front(size: number): Uint8Array<ArrayBuffer> {
    return this.#pieces[0]?.slice(0, size) ?? new Uint8Array(0);
  }

  /** A copy of `size` bytes from offset `start` on, which must be there. */
  copy(start: number, size: number): Uint8Array {
    const bytes = new Uint8Array(size);
    let at = -start;
    for (const piece of this.#pieces) {
      const from = Math.max(0, -at);
      if (from < piece.length) bytes.set(piece.subarray(from, Math.min(piece.length, size - at)), at + from);
      at += piece.length;
      if (at >= size) break;
    }
    return bytes;
  }

  /** The guest has received this many bytes from the front, or all. */
  drop(count: number): void {
    let rest = count;
    while (rest > 0 && this.#pieces.length) {
      const [first] = this.#pieces, size = Math.min(rest, first.length);
      if (size === first.length) this.#pieces.shift();
      else this.#pieces[0] = first.subarray(size);
      this.#length -= size;
      rest -= size;
    }
  }

  /** Continues the stream when little waits. */
  relieve(): void {
    if (this.#length < this.limit / 2) this.flow();
  }
}
