// RAM as pages by content: zero pages are left out, and pages that an earlier image has are the
// same arrays, so that many images of one run take little more memory than one.

import type { Machine } from "../../machine/hardware/machine.ts";
import { RAM_BASE } from "../../machine/hardware/memory-map.ts";
import type { PageSet } from "../../kit/support/values/page-set.ts";
import { PAGE_SIZE } from "../../kit/support/values/sizes.ts";
import { Page, type PageChange, PageMap } from "./page-map.ts";
import { PagePool } from "./page-pool.ts";
import { prefersHugePages } from "../../kit/support/computer/huge-pages.ts";

/** The ranges of physical addresses that are RAM: first page and page after the last. */
export function ramRanges({ map }: Pick<Machine, "map">): readonly (readonly [first: number, end: number])[] {
  const ranges = [[RAM_BASE, map.primaryEnd], [map.hypervisorBase, map.ramEnd]] as const;
  return ranges.map(([start, end]) => [start / PAGE_SIZE, end / PAGE_SIZE] as const);
}

/** An image of RAM that a later one is compared with. */
export interface EarlierPages {
  readonly pages: PageMap;
  /** The pages that may have changed since; undefined: any. */
  readonly changed?: PageSet | undefined;
}

/** The content of RAM: an image of it, and the pages that are others now. */
export type LeftPages = Pick<EarlierPages, "pages"> & { readonly changed?: Iterable<number> };

/** An image of RAM. It shares unchanged pages with an earlier one. */
export function takePages(machine: Machine, { pages: before = PageMap.EMPTY, changed }: Partial<EarlierPages> = {}): PageMap {
  return before.with(changed ? changesAmong(changed, machine, before) : changesOf(machine, before));
}

/** The memory of this thread's images, where that has huge pages. */
let pool: PagePool | undefined;

const copyOf = (content: Uint8Array) => prefersHugePages() ? (pool ??= new PagePool()).copy(content) : content.slice();

const sharedOr = (known: Page | undefined, content: Uint8Array) =>
  known?.content && isSame(known.content, content) ? known : new Page(copyOf(content));

/**
 * A page as numbers of four bytes: a loop compares two in the time that a function of Node takes to
 * begin. In the bytes of a file pages may begin anywhere.
 */
function wordsOf(page: Uint8Array): Int32Array {
  const { buffer, byteOffset } = page.byteOffset % 4 ? page.slice() : page;
  return new Int32Array(buffer, byteOffset, PAGE_SIZE / 4);
}

function isSame(one: Uint8Array, other: Uint8Array): boolean {
  const words = wordsOf(one), others = wordsOf(other);
  for (let index = 0; index < words.length; index++) if (words[index] !== others[index]) return false;
  return true;
}

function* changesOf(machine: Machine, before: PageMap): Generator<PageChange> {
  const filled = new Set<number>();
  for (const [page, content] of filledPages(machine)) {
    filled.add(page);
    yield [page, sharedOr(before.get(page), content)];
  }
  for (const [page] of before) if (!filled.has(page)) yield [page, undefined];
}

/** Looks at no page but those that may have changed. */
function* changesAmong(changed: PageSet, { ram, map }: Machine, before: PageMap): Generator<PageChange> {
  const end = map.ramEnd / PAGE_SIZE;
  for (const page of changed) {
    if (page >= end) break;
    // The gap between the parts of RAM is in the set, too.
    if (!ram.contains(page * PAGE_SIZE, PAGE_SIZE)) continue;
    const content = ram.bytes(page * PAGE_SIZE, PAGE_SIZE);
    yield [page, isZeroPage(content) ? undefined : sharedOr(before.get(page), content)];
  }
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

/** Puts an image into RAM that is all zero, or has an earlier one with some pages changed. */
export function putPages({ ram }: Machine, pages: PageMap, { pages: before, changed = [] }: LeftPages = { pages: PageMap.EMPTY }): void {
  const put = (page: number, content: Page | undefined) => {
    if (content) ram.write(page * PAGE_SIZE, content.bytes);
    else ram.zero(page * PAGE_SIZE, PAGE_SIZE);
  };
  for (const page of changed) put(page, pages.get(page));
  for (const [page, content] of pages.changesFrom(before)) put(page, content);
}

/** Whether a page is all zero. */
export function isZeroPage(page: Uint8Array): boolean {
  const words = wordsOf(page);
  for (let index = 0; index < words.length; index++) if (words[index]) return false;
  return true;
}
