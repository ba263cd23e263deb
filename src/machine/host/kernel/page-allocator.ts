// Pages of the host VM's memory that its kernel gives to processes, drivers and thereby to VMs.
// First fit, so that pages allocated together are contiguous: a parcel's entries are its physically
// contiguous runs (docs/spec/vm-manager.md §5.1).

import { asIpa, type Ipa } from "../../abi/numbers.ts";
import { PAGE_SIZE } from "../../../kit/support/values/sizes.ts";

/** Pages that follow each other: IPA of the first, and how many. */
export interface PageRange {
  readonly ipa: Ipa;
  readonly count: number;
}

/** Plain data. */
export interface PageAllocatorState {
  /** Free ranges in ascending order, none touching the next. */
  free: PageRange[];
  /** Pages from here on were never allocated, and are zero. IPA. */
  clean: number;
}

/** The state of an allocator with all of this memory free. IPA and bytes, whole pages. */
export function newPageAllocatorState(base: Ipa, size: number): PageAllocatorState {
  return { free: size > 0 ? [{ ipa: base, count: size / PAGE_SIZE }] : [], clean: base };
}

export class PageAllocator {
  /** @param zero fills a range with zeros. */
  constructor(readonly state: PageAllocatorState, readonly zero: (range: PageRange) => void) {}

  /** Pages that are free. */
  get available(): number {
    return this.state.free.reduce((sum, { count }) => sum + count, 0);
  }

  /**
   * `count` contiguous zeroed pages whose IPA is a multiple of `align` bytes; undefined when there
   * are none.
   */
  allocate(count: number, align = PAGE_SIZE): Ipa | undefined {
    const { free } = this.state;
    for (let index = 0; index < free.length; index++) {
      const { ipa, count: room } = free[index];
      const at = asIpa(Math.ceil(ipa / align) * align);
      const before = (at - ipa) / PAGE_SIZE;
      const after = room - before - count;
      if (after < 0) continue;
      const left: PageRange[] = [];
      if (before > 0) left.push({ ipa, count: before });
      if (after > 0) left.push({ ipa: asIpa(at + count * PAGE_SIZE), count: after });
      free.splice(index, 1, ...left);
      this.#clear(at, count);
      return at;
    }
    return undefined;
  }

  /** Gives a range back. */
  release({ ipa, count }: PageRange): void {
    const { free } = this.state;
    let index = free.findIndex((range) => range.ipa > ipa);
    if (index < 0) index = free.length;
    const end = (range: PageRange) => range.ipa + range.count * PAGE_SIZE;
    let merged: PageRange = { ipa, count };
    let replaced = 0;
    if (index > 0 && end(free[index - 1]) === ipa) {
      index--;
      replaced++;
      merged = { ipa: free[index].ipa, count: free[index].count + count };
    }
    const next = free[index + replaced];
    if (next !== undefined && end(merged) === next.ipa) {
      replaced++;
      merged = { ipa: merged.ipa, count: merged.count + next.count };
    }
    free.splice(index, replaced, merged);
  }

  /** Only pages that were in use before need it. */
  #clear(ipa: Ipa, count: number): void {
    const { state } = this;
    const end = ipa + count * PAGE_SIZE;
    const used = Math.min(end, state.clean) - ipa;
    if (used > 0) this.zero({ ipa, count: used / PAGE_SIZE });
    // Pages that an alignment skipped count as used from now on.
    state.clean = Math.max(state.clean, end);
  }
}
