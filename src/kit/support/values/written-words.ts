// Words of 8 bytes that are in a set, of pages of which not all words are.

import { PAGE_SHIFT } from "./sizes.ts";

/** log2 of the bytes of a word. */
export const WORD_SHIFT = 3;
/** log2 of the bytes of a line, whose words are a byte of a map. */
export const LINE_SHIFT = WORD_SHIFT + 3;
export const LINE_SIZE = 1 << LINE_SHIFT;
export const LINES_PER_PAGE = 1 << PAGE_SHIFT - LINE_SHIFT;

/** Numbers of 32 bits of one page: its own (physical address / 4096), and its words' bits. */
const BITS = 1 << PAGE_SHIFT - WORD_SHIFT - 5, ENTRY = 1 + BITS;

/** Pages, ascending, of which some words are in the set and others are not. */
export class PartialPages {
  static readonly NONE = new PartialPages(new Uint32Array());

  /** @param entries page, and its words' bits, the lowest first, of each page */
  constructor(readonly entries: Uint32Array) {}

  get bytes(): number {
    return this.entries.byteLength;
  }

  /**
   * Whether bytes of a page, from offset `from` to offset `to`, are in the set; undefined: the page
   * is not in this.
   */
  touches(page: number, from: number, to: number): boolean | undefined {
    const at = this.#find(page);
    if (at === undefined) return undefined;
    for (let word = from >>> WORD_SHIFT; word <= to >>> WORD_SHIFT; word++) {
      if (this.entries[at + 1 + (word >>> 5)] >>> (word & 31) & 1) return true;
    }
    return false;
  }

  has(page: number): boolean {
    return this.#find(page) !== undefined;
  }

  #find(page: number): number | undefined {
    const { entries } = this;
    let low = 0, high = entries.length / ENTRY;
    while (low < high) {
      const middle = low + high >>> 1;
      if (entries[ENTRY * middle] < page) low = middle + 1;
      else high = middle;
    }
    return entries[ENTRY * low] === page ? ENTRY * low : undefined;
  }

  /**
   * The union with another set.
   * @param isWhole whether all words of a page are in one of the two sets
   */
  with(other: PartialPages, isWhole: (page: number) => boolean): PartialPages {
    const united = new Uint32Array(this.entries.length + other.entries.length);
    let end = 0, one = 0, two = 0;
    while (one < this.entries.length || two < other.entries.length) {
      const first = this.entries[one] ?? Infinity, second = other.entries[two] ?? Infinity, page = Math.min(first, second);
      let missing = 0;
      for (let at = 1; at < ENTRY; at++) {
        const bits = (first === page ? this.entries[one + at] : 0) | (second === page ? other.entries[two + at] : 0);
        united[end + at] = bits;
        missing |= ~bits;
      }
      united[end] = page;
      if (missing && !isWhole(page)) end += ENTRY;
      if (first === page) one += ENTRY;
      if (second === page) two += ENTRY;
    }
    return new PartialPages(united.slice(0, end));
  }
}
