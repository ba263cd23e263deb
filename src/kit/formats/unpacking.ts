// Bytes that are unpacked from a stream of LZO, LZ4 or Snappy: each has literal bytes, and copies
// of bytes that were written before.

/** Packed bytes that are not a stream, or have another size than they should. */
export class PackedError extends Error {}

/** A stream and where it is unpacked to, each up to where it was used. */
export class Unpacking {
  #at = 0;
  #written = 0;

  constructor(readonly packed: Uint8Array, readonly into: Uint8Array) {}

  /** Whether all of the stream was used. */
  get isAtEnd(): boolean {
    return this.#at >= this.packed.length;
  }

  /** The next byte of the stream. @throws PackedError at its end */
  byte(): number {
    if (this.isAtEnd) throw new PackedError(`the stream ends too early, at byte ${this.#at}`);
    return this.packed[this.#at++];
  }

  /** Literal bytes. @throws PackedError */
  literals(count: number): void {
    const at = this.#at, written = this.#written;
    if (at + count > this.packed.length || written + count > this.into.length) {
      throw new PackedError(`${count} literal bytes at byte ${at} are too many`);
    }
    this.into.set(this.packed.subarray(at, at + count), written);
    this.#at += count;
    this.#written += count;
  }

  /** Bytes that were written before, at a distance. @throws PackedError */
  copy(distance: number, count: number): void {
    const { into } = this, end = this.#written + count;
    if (distance === 0 || distance > this.#written || end > into.length) {
      throw new PackedError(`a copy of ${count} bytes from ${distance} before, at byte ${this.#at}`);
    }
    // It may reach into what it writes itself.
    for (let at = this.#written; at < end; at++) into[at] = into[at - distance];
    this.#written = end;
  }

  /** Bytes that were unpacked. */
  get written(): number {
    return this.#written;
  }
}
