// More hot code than there is room for: regions that had to go are made again, push out others, and
// none stays long enough to pay for its translation. Then code has to be hotter, so that most of
// what there is stays, and the rest is left to the interpreter.

/** How much hotter code can have to be. */
const MOST_CROWDED = 64;

/** How long that lasts, in the time that the regions that went have cost. */
const LASTS = 8;

/** Regions that went, of which it is known. */
const GONE_KEPT = 0x2_0000;

/** How crowded the regions of one core are. */
export class Crowding {
  /** Decoded instructions at which the regions began that went and were not made again. */
  readonly #gone = new Set<number>();
  /** Regions that were made since room was made, and how many of them again. */
  #made = 0;
  #again = 0;
  #factor = 1;
  /** When that was, and until when the factor becomes half, in samples. */
  #since = 0;
  #half = 1;

  /** A region was made that begins there. */
  made(head: number): void {
    this.#made++;
    if (this.#gone.delete(head)) this.#again++;
  }

  /**
   * Regions go to make room.
   * @param heads where they begin
   * @param cost samples that it took to make them
   * @param taken samples so far
   */
  roomMade(heads: readonly number[], cost: number, taken: number): void {
    const factor = this.factor(taken), isCrowded = 2 * this.#again > this.#made;
    this.#factor = isCrowded ? Math.min(2 * factor, MOST_CROWDED) : factor;
    this.#since = taken;
    this.#half = Math.max(1, LASTS * cost);
    this.#made = this.#again = 0;
    for (const head of heads) this.#gone.add(head);
    for (const oldest of this.#gone) {
      if (this.#gone.size <= GONE_KEPT) break;
      this.#gone.delete(oldest);
    }
  }

  /** How much hotter code has to be than where there is room, after so many samples in all. */
  factor(taken: number): number {
    return Math.max(1, this.#factor / 2 ** Math.floor((taken - this.#since) / this.#half));
  }
}
