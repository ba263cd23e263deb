// A set of blocks of a disk by number, with a bit for each in the parts that have any.

/** Blocks of a part, and bytes of its bits. */
const PART = 1024, BYTES = PART / 8;

export class BlockSet {
  readonly #parts = new Map<number, Uint8Array>();

  has(block: number): boolean {
    const bits = this.#parts.get(Math.floor(block / PART)), at = block % PART;
    return bits !== undefined && (bits[at >>> 3] >>> (at & 7) & 1) !== 0;
  }

  add(block: number): void {
    const part = Math.floor(block / PART), at = block % PART;
    let bits = this.#parts.get(part);
    if (!bits) this.#parts.set(part, bits = new Uint8Array(BYTES));
    bits[at >>> 3] |= 1 << (at & 7);
  }

  delete(block: number): void {
    const bits = this.#parts.get(Math.floor(block / PART)), at = block % PART;
    if (bits) bits[at >>> 3] &= ~(1 << (at & 7));
  }

  /** The blocks, ascending. */
  *[Symbol.iterator](): Generator<number> {
    for (const [part, bits] of [...this.#parts].sort(([a], [b]) => a - b)) {
      for (let at = 0; at < PART; at++) if (bits[at >>> 3] >>> (at & 7) & 1) yield part * PART + at;
    }
  }
}
