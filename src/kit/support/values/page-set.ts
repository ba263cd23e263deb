// A set of pages of RAM, with a bit for each.

/** A set of page numbers (physical address / 4096) from `first` on, eight in a byte. */
export class PageSet {
  constructor(readonly first: number, readonly bits: Uint8Array) {}

  has(page: number): boolean {
    const index = page - this.first;
    return ((this.bits[index >>> 3] ?? 0) >>> (index & 7) & 1) !== 0;
  }

  /** The pages, ascending. */
  *[Symbol.iterator](): Generator<number> {
    for (let index = 0; index < this.bits.length; index++) {
      for (let byte = this.bits[index], page = this.first + 8 * index; byte; byte >>>= 1, page++) if (byte & 1) yield page;
    }
  }

  /** Adds the pages of another set of the same RAM. */
  add({ bits }: PageSet): void {
    for (let index = 0; index < bits.length; index++) this.bits[index] |= bits[index];
  }
}
