// RAM as pages by content: zero pages are left out, and pages that an earlier image has are the
// same arrays, so that many images of one run take little more memory than one.

import type { Machine } from "../machine/machine.ts";
import { RAM_BASE } from "../machine/memory-map.ts";
import type { PageSet } from "../support/page-set.ts";
import { PAGE_SIZE } from "../support/sizes.ts";
import { node } from "../support/node-modules.ts";

/** Pages that are not zero, by page number (physical address / 4096), ascending. */
export type Pages = ReadonlyMap<number, Uint8Array>;

const ZERO = new Uint8Array(PAGE_SIZE);

/** The ranges of physical addresses that are RAM: first page and page after the last. */
export function ramRanges({ map }: Pick<Machine, "map">): readonly (readonly [first: number, end: number])[] {
  const ranges = [[RAM_BASE, map.primaryEnd], [map.hypervisorBase, map.ramEnd]] as const;
  return ranges.map(([start, end]) => [start / PAGE_SIZE, end / PAGE_SIZE] as const);
}

/** An image of RAM that a later one is compared with. */
export interface EarlierPages {
  readonly pages: Pages;
  /** The pages that may have changed since; undefined: any. */
  readonly changed?: PageSet | undefined;
}

/** An image of RAM. It shares unchanged pages with an earlier one. */
export function takePages(machine: Machine, { pages: before, changed }: Partial<EarlierPages> = {}): Pages {
  if (before && changed) return takeChanged(machine, before, changed);
  const pages = new Map<number, Uint8Array>();
  for (const [page, content] of filledPages(machine)) pages.set(page, sharedOr(before?.get(page), content));
  return pages;
}

const sharedOr = (known: Uint8Array | undefined, content: Uint8Array) =>
  known && node.buffer.Buffer.compare(known, content) === 0 ? known : content.slice();

/** Looks at no page but those that may have changed. */
function takeChanged({ ram, map }: Machine, before: Pages, changed: PageSet): Pages {
  const pages = new Map<number, Uint8Array>(), end = map.ramEnd / PAGE_SIZE;
  const earlier = before.entries();
  let next = earlier.next().value;
  for (const page of changed) {
    if (page >= end) break;
    for (; next && next[0] < page; next = earlier.next().value) pages.set(next[0], next[1]);
    const known = next?.[0] === page ? next[1] : undefined;
    if (known) next = earlier.next().value;
    // The gap between the parts of RAM is in the set, too.
    if (!ram.contains(page * PAGE_SIZE, PAGE_SIZE)) continue;
    const content = ram.bytes(page * PAGE_SIZE, PAGE_SIZE);
    if (!isZeroPage(content)) pages.set(page, sharedOr(known, content));
  }
  for (; next; next = earlier.next().value) pages.set(next[0], next[1]);
  return pages;
}

/**
 * The pages of RAM that are not zero, ascending: their numbers, and views of their content. Pages
 * that were never written are not touched.
 */
export function* filledPages(machine: Pick<Machine, "map" | "ram">): Generator<[page: number, content: Uint8Array]> {
  const { ram } = machine;
  for (const [first, end] of ramRanges(machine)) {
    const bytes = ram.bytes(first * PAGE_SIZE, (end - first) * PAGE_SIZE);
    for (let page = first; page < end; page++) {
      if (!ram.mayBeWritten(page * PAGE_SIZE)) continue;
      const start = (page - first) * PAGE_SIZE;
      const content = bytes.subarray(start, start + PAGE_SIZE);
      if (!isZeroPage(content)) yield [page, content];
    }
  }
}

/** Puts an image into RAM that is all zero. */
export function putPages(machine: Machine, pages: Pages): void {
  for (const [page, bytes] of pages) machine.ram.write(page * PAGE_SIZE, bytes);
}

/** Whether a page is all zero. */
export function isZeroPage(page: Uint8Array): boolean {
  return node.buffer.Buffer.compare(page, ZERO) === 0;
}
