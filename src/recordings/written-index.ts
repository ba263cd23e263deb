// Which lines of pages and which registers were written in which part of a run, so that the search
// for a write repeats only the parts that may have one.

import type { Written } from "../core/interface.ts";
import { PAGE_SHIFT, PAGE_SIZE } from "../support/sizes.ts";

/** A part of the run: from the end of the part before it, or from the start. */
interface Interval {
  /** Instructions that had been retired at its end. */
  readonly end: number;
  /** Number of the boundary at its end. */
  readonly boundary: number;
  readonly written: Written;
}

/** The object of a search for writes: bytes of RAM, or a register by its bit in `Written`. */
export type WrittenObject = { readonly pa: number; readonly length: number } | { readonly bit: bigint };

/** Whether the object may be among what was written. */
export function mayHave({ pages, partial, registers }: Written, object: WrittenObject): boolean {
  if ("bit" in object) return (registers & object.bit) !== 0n;
  const { pa } = object, last = pa + object.length - 1;
  for (let page = Math.floor(pa / 2 ** PAGE_SHIFT); page <= last / 2 ** PAGE_SHIFT; page++) {
    const start = page * PAGE_SIZE;
    if (pages.has(page) && (partial.touches(page, Math.max(pa - start, 0), Math.min(last - start, PAGE_SIZE - 1)) ?? true)) return true;
  }
  return false;
}

/** Both together; the first is changed. */
function unite(one: Written, other: Written): Written {
  const isWhole = ({ pages, partial }: Written, page: number) => pages.has(page) && !partial.has(page);
  const partial = one.partial.with(other.partial, (page) => isWhole(one, page) || isWhole(other, page));
  one.pages.add(other.pages);
  return { pages: one.pages, partial, registers: one.registers | other.registers };
}

/** A place of the run, with the number of the boundary if it is at one. */
export interface IndexedPlace {
  readonly instructions: number;
  readonly boundary?: number | undefined;
}

/** Everything that a run wrote, from its start to the latest boundary. */
export class WrittenIndex {
  #intervals: Interval[] = [];
  /** Number of the latest boundary. */
  #boundary = 0;

  /** @param limit bytes; beyond them, parts are united */
  constructor(readonly limit: number) {}

  get boundary(): number {
    return this.#boundary;
  }

  /** Instructions at the latest boundary. */
  get end(): number {
    return this.#intervals.at(-1)?.end ?? 0;
  }

  /** Bytes that it takes. */
  get bytes(): number {
    return this.#intervals.reduce((sum, { written: { pages, partial } }) => sum + pages.bits.length + partial.bytes, 0);
  }

  /** A part ends here, in which this was written. */
  add(end: number, written: Written): void {
    this.#intervals.push({ end, boundary: ++this.#boundary, written });
    while (this.#intervals.length > 1 && this.bytes > this.limit) this.#unite();
  }

  /**
   * Whether an object may have been written between two places; without `first`, since the start.
   * Writes after the latest boundary are unknown here.
   */
  has(first: IndexedPlace | undefined, last: IndexedPlace, object: WrittenObject): boolean {
    const parts = this.#intervals;
    // Native guests retire nothing: parts that end with the count of a place may be on either side.
    const begin = first ? this.#partsTo(first) ?? parts.filter(({ end }) => end < first.instructions).length : 0;
    const end = this.#partsTo(last) ?? parts.filter(({ end }) => end <= last.instructions).length + 1;
    return parts.slice(begin, end).some(({ written }) => mayHave(written, object));
  }

  /** How many parts are before a place; undefined unless its boundary is known and still there. */
  #partsTo({ boundary }: IndexedPlace): number | undefined {
    if (boundary === undefined) return undefined;
    const index = this.#intervals.findIndex((one) => one.boundary === boundary);
    return index >= 0 || boundary === 0 ? index + 1 : undefined;
  }

  /** Every second boundary goes. */
  #unite(): void {
    const united: Interval[] = [];
    for (let index = 0; index < this.#intervals.length; index += 2) {
      const [first, second] = this.#intervals.slice(index, index + 2);
      if (!second) united.push(first);
      else united.push({ ...second, written: unite(second.written, first.written) });
    }
    this.#intervals = united;
  }
}
