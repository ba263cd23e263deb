// Pages, their words and system registers that were written, by instructions or from outside: the
// maps that the Wasm module keeps since `Core.forgetWritten`, and the pages from before.

import { WHOLE_LINES, WRITTEN_BY_WORD, WRITTEN_PAGES, WRITTEN_REGISTERS, WRITTEN_REPEATS, WRITTEN_WORDS } from "../state/layout.ts";
import { hasPageBit, setPageBits } from "../state/page-bits.ts";
import { PageSet } from "../../../kit/support/values/page-set.ts";
import { LINES_PER_PAGE, PartialPages, WORD_SHIFT } from "../../../kit/support/values/written-words.ts";
import { PAGE_SHIFT, PAGE_SIZE } from "../../../kit/support/values/sizes.ts";
import type { RamLayout } from "./translation.ts";

/** log2 of the bytes of RAM that one byte of the map stands for. */
const BYTE_SHIFT = PAGE_SHIFT + 3;
const ALL = -1;

/** Everything that was written in a part of a run. */
export interface Written {
  readonly pages: PageSet;
  /** Those of them of which only some words were. */
  readonly partial: PartialPages;
  /** A bit for each register (`registerWrites`), of all vCPUs together. */
  readonly registers: bigint;
}

export class WrittenMemory {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #words: Int32Array;
  /** Pages that were written before the latest `forget`. */
  #before: PageSet | undefined;

  constructor(memory: WebAssembly.Memory, readonly ram: RamLayout) {
    this.#bytes = new Uint8Array(memory.buffer);
    this.#view = new DataView(memory.buffer);
    this.#words = new Int32Array(memory.buffer);
  }

  /** RAM in [wasmAddress, wasmAddress + size) was written from outside. */
  note(wasmAddress: number, size: number): void {
    const bytes = this.#bytes, last = wasmAddress + size - 1;
    setPageBits(bytes, WRITTEN_PAGES, wasmAddress, size);
    if (!this.#isByWord) return;
    const from = wasmAddress >>> WORD_SHIFT, to = last >>> WORD_SHIFT;
    const first = WRITTEN_WORDS + (from >>> 3), end = WRITTEN_WORDS + (to >>> 3);
    const begun = 0xff << (from & 7) & 0xff, ended = 0xff >>> 7 - (to & 7);
    bytes[first] |= first === end ? begun & ended : begun;
    if (first === end) return;
    bytes.fill(0xff, first + 1, end);
    bytes[end] |= ended;
  }

  /** Whether words of pages are noted. */
  get #isByWord(): boolean {
    return this.#view.getUint32(WRITTEN_BY_WORD, true) !== 0;
  }

  /** Whether the page at a physical address may ever have been written. */
  mayHave(pa: number): boolean {
    const { base, wasmAddress } = this.ram;
    return hasPageBit(this.#bytes, WRITTEN_PAGES, pa - base + wasmAddress) || (this.#before?.has(Math.floor(pa / PAGE_SIZE)) ?? false);
  }

  /** Everything since the latest `forget`. */
  get latest(): Written {
    const pages = this.#pages(this.#map.slice()), entries: number[] = [];
    for (const page of this.#isByWord ? pages : []) {
      if (this.#isWhole(page)) continue;
      const words = this.#wordsOf(page);
      if (words.some((bits) => bits !== ALL)) entries.push(page, ...words);
    }
    return { pages, partial: new PartialPages(new Uint32Array(entries)), registers: this.#view.getBigUint64(WRITTEN_REGISTERS, true) };
  }

  /**
   * `latest` starts again from nothing.
   * @param byWord words of pages are noted from now on
   */
  forget(byWord: boolean): void {
    const map = this.#map, pages = this.#pages(map), view = this.#view;
    this.#before ??= this.#pages(new Uint8Array(map.length));
    this.#before.add(pages);
    const wasByWord = this.#isByWord;
    for (const page of pages) {
      // Memory that nobody has touched stays untouched.
      if (wasByWord) this.#wordsOf(page).fill(0);
      this.#words.fill(0, this.#linesAt(page), this.#linesAt(page + 1));
    }
    map.fill(0);
    view.setBigUint64(WRITTEN_REGISTERS, 0n, true);
    view.setUint32(WRITTEN_BY_WORD, Number(byWord), true);
    const { base, count } = WRITTEN_REPEATS;
    this.#bytes.fill(0, base, base + 2 * count);
  }

  /** Whether all lines of a page are noted as a whole. */
  #isWhole(page: number): boolean {
    const at = this.#linesAt(page);
    return (this.#words[at] & this.#words[at + 1]) === ALL;
  }

  /** The index of a page's lines in the memory's words. */
  #linesAt(page: number): number {
    return WHOLE_LINES / 4 + 2 * this.#wasmPage(page);
  }

  /** The bits of a page's words. */
  #wordsOf(page: number): Int32Array {
    const at = (WRITTEN_WORDS + LINES_PER_PAGE * this.#wasmPage(page)) / 4;
    return this.#words.subarray(at, at + LINES_PER_PAGE / 4);
  }

  #wasmPage(page: number): number {
    const { base, wasmAddress } = this.ram;
    return page + (wasmAddress - base) / PAGE_SIZE;
  }

  #pages(map: Uint8Array): PageSet {
    return new PageSet(this.ram.base / PAGE_SIZE, map);
  }

  /** The part of the map for RAM, whose first page has the lowest bit of a byte. */
  get #map(): Uint8Array {
    const { wasmAddress, size } = this.ram;
    return this.#bytes.subarray(WRITTEN_PAGES + (wasmAddress >>> BYTE_SHIFT), WRITTEN_PAGES + (wasmAddress + size - 1 >>> BYTE_SHIFT) + 1);
  }
}
