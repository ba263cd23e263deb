// RAM as pages by content: zero pages are left out, and pages that an earlier image has are the
// same arrays, so that many images of one run take little more memory than one.

import type { Machine } from "../machine/machine.ts";
import { RAM_BASE } from "../machine/memory-map.ts";
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

/** An image of RAM. It shares unchanged pages with `before`. */
export function takePages(machine: Machine, before?: Pages): Pages {
  const pages = new Map<number, Uint8Array>();
  for (const [page, content] of filledPages(machine)) {
    const known = before?.get(page);
    pages.set(page, known && node.buffer.Buffer.compare(known, content) === 0 ? known : content.slice());
  }
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
