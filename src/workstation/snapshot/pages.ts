// RAM as pages by content: zero pages are left out, and pages that an earlier image has are the same arrays, so that many images of one run
// take little more memory than one.

import type { Machine } from "../../machine/machine.ts";
import { PAGE_SIZE, RAM_BASE } from "../../machine/memory-map.ts";

/** Pages that are not zero, by page number (physical address / 4096), ascending. */
export type Pages = ReadonlyMap<number, Uint8Array>;

const WORDS = PAGE_SIZE / 4;

/** The ranges of physical addresses that are RAM: first page and page behind the last. */
export function ramRanges({ map }: Pick<Machine, "map">): readonly (readonly [first: number, end: number])[] {
  const ranges = [[RAM_BASE, map.primaryEnd], [map.hypervisorBase, map.ramEnd]] as const;
  return ranges.map(([start, end]) => [start / PAGE_SIZE, end / PAGE_SIZE] as const);
}

/** An image of RAM. It shares pages with `before`, where they have not changed since. */
export function takePages(machine: Machine, before?: Pages): Pages {
  const pages = new Map<number, Uint8Array>();
  for (const [first, end] of ramRanges(machine)) {
    const bytes = machine.ram.bytes(first * PAGE_SIZE, (end - first) * PAGE_SIZE);
    const words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
    for (let page = first; page < end; page++) {
      const at = (page - first) * WORDS;
      if (isZero(words, at)) continue;
      const known = before?.get(page);
      const start = (page - first) * PAGE_SIZE;
      pages.set(page, known && equals(known, words, at) ? known : bytes.slice(start, start + PAGE_SIZE));
    }
  }
  return pages;
}

/** Puts an image into RAM that is all zero. */
export function putPages(machine: Machine, pages: Pages): void {
  for (const [page, bytes] of pages) machine.ram.write(page * PAGE_SIZE, bytes);
}

/** Whether a page is all zero. */
export function isZeroPage(page: Uint8Array): boolean {
  return isZero(new Int32Array(page.buffer, page.byteOffset, WORDS), 0);
}

function isZero(words: Int32Array, at: number): boolean {
  for (let index = at; index < at + WORDS; index++) if (words[index] !== 0) return false;
  return true;
}

function equals(page: Uint8Array, words: Int32Array, at: number): boolean {
  const known = new Int32Array(page.buffer, page.byteOffset, WORDS);
  for (let index = 0; index < WORDS; index++) if (known[index] !== words[at + index]) return false;
  return true;
}
