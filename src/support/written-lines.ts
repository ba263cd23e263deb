// Lines of 64 bytes that are in a set, of pages of which not all lines are.

import { PAGE_SHIFT } from "./sizes.ts";

/** log2 of the bytes of a line. */
export const LINE_SHIFT = 6;
export const LINES_PER_PAGE = 1 << PAGE_SHIFT - LINE_SHIFT;

/** Numbers of one page: its own (physical address / 4096), and its lines' bits, low and high. */
const ENTRY = 3;

/** Whether some bytes of a page are in lines that are in the set. */
function touchesLines(low: number, high: number, from: number, to: number): boolean {
  for (let line = from >>> LINE_SHIFT; line <= to >>> LINE_SHIFT; line++) {
    if ((line < 32 ? low : high) >>> (line & 31) & 1) return true;
  }
  return false;
}

/** Pages, ascending, of which some lines are in the set and others are not. */
export class PartialPages {
  static readonly NONE = new PartialPages(new Uint32Array());

  /** @param entries page, low and high half of its lines' bits, of each page */
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
    return at === undefined ? undefined : touchesLines(this.entries[at + 1], this.entries[at + 2], from, to);
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
   * @param isWhole whether all lines of a page are in one of the two sets
   */
  with(other: PartialPages, isWhole: (page: number) => boolean): PartialPages {
    const united: number[] = [];
    const take = ({ entries }: PartialPages, at: number, low = 0, high = 0) => {
      const page = entries[at], lines = [entries[at + 1] | low, entries[at + 2] | high];
      if (!isWhole(page) && (lines[0] & lines[1]) !== -1) united.push(page, ...lines);
    };
    let one = 0, two = 0;
    while (one < this.entries.length || two < other.entries.length) {
      const first = this.entries[one] ?? Infinity, second = other.entries[two] ?? Infinity;
      if (first === second) take(this, one, other.entries[two + 1], other.entries[two + 2]);
      else if (first < second) take(this, one);
      else take(other, two);
      if (first <= second) one += ENTRY;
      if (second <= first) two += ENTRY;
    }
    return new PartialPages(Uint32Array.from(united));
  }
}
