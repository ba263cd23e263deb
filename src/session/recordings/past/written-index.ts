// Which words of pages and which registers were written in which part of a run, and by what objects
// may have changed, so that the search for a write or a change repeats only parts that may have it.

import type { Written as WrittenByCore } from "../../../cpu/core/interface.ts";
import type { ObjectChanges } from "../../../machine/hypervisor/inspect.ts";
import { PAGE_SHIFT, PAGE_SIZE } from "../../../kit/support/values/sizes.ts";

/** Everything that was written in a part of a run, and what objects may have changed by. */
export interface Written extends WrittenByCore {
  readonly changes?: ObjectChanges | undefined;
}

/** A part of the run: from the end of the part before it, or from the start. */
interface Interval {
  /** Instructions that had been retired at its end. */
  readonly end: number;
  /** Number of the boundary at its end. */
  readonly boundary: number;
  readonly written: Written;
}

/**
 * The object of a search for writes: bytes of RAM, a register by its bit in `Written`, or an object
 * of the hypervisor.
 */
export type WrittenObject =
  | { readonly pa: number; readonly length: number }
  | { readonly bit: bigint }
  | { readonly mayChange: (changes: ObjectChanges) => boolean };

/** Whether the object may be among what was written. */
export function mayHave({ pages, partial, registers, changes }: Written, object: WrittenObject): boolean {
  if ("mayChange" in object) return changes === undefined || object.mayChange(changes);
  if ("bit" in object) return (registers & object.bit) !== 0n;
  const { pa } = object, last = pa + object.length - 1;
  for (let page = Math.floor(pa / 2 ** PAGE_SHIFT); page <= last / 2 ** PAGE_SHIFT; page++) {
    const start = page * PAGE_SIZE;
    if (pages.has(page) && (partial.touches(page, Math.max(pa - start, 0), Math.min(last - start, PAGE_SIZE - 1)) ?? true)) return true;
  }
  return false;
}

/** Bytes of an interrupt's name in a set, about. */
const IRQ_BYTES = 64;

/** Both together; the first is changed. */
function unite(one: Written, other: Written): Written {
  const isWhole = ({ pages, partial }: Written, page: number) => pages.has(page) && !partial.has(page);
  const partial = one.partial.with(other.partial, (page) => isWhole(one, page) || isWhole(other, page));
  one.pages.add(other.pages);
  const [changes, more] = [one.changes, other.changes];
  const both = changes && more && { calls: changes.calls | more.calls, irqs: changes.irqs.union(more.irqs) };
  return { pages: one.pages, partial, registers: one.registers | other.registers, changes: both };
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
    return this.#intervals.reduce((sum, { written: { pages, partial, changes } }) => {
      return sum + pages.bits.length + partial.bytes + (changes?.irqs.size ?? 0) * IRQ_BYTES;
    }, 0);
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
