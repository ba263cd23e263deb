// Pages, their lines and system registers that were written, by instructions or from outside: the
// maps that the Wasm module keeps since `Core.forgetWritten`, and the pages from before.

import { WRITTEN_BY_LINE, WRITTEN_LINES, WRITTEN_PAGES, WRITTEN_REGISTERS, WRITTEN_REPEATS } from "../state/layout.ts";
import { hasPageBit, setPageBits } from "../state/page-bits.ts";
import { PageSet } from "../../support/page-set.ts";
import { LINE_SHIFT, LINES_PER_PAGE, PartialPages } from "../../support/written-lines.ts";
import { PAGE_SHIFT, PAGE_SIZE } from "../../support/sizes.ts";
import type { RamLayout } from "./mmu.ts";
import { REPEATS } from "./written-lines.ts";

/** log2 of the bytes of RAM that one byte of the map stands for. */
const BYTE_SHIFT = PAGE_SHIFT + 3;

/** Everything that was written in a part of a run. */
export interface Written {
  readonly pages: PageSet;
  /** Those of them of which only some lines were. */
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
    setPageBits(this.#bytes, WRITTEN_PAGES, wasmAddress, size);
    if (!this.#isByLine) return;
    const last = wasmAddress + size - 1, offset = (at: number) => at % PAGE_SIZE >>> LINE_SHIFT;
    const first = wasmAddress >>> PAGE_SHIFT, end = last >>> PAGE_SHIFT;
    this.#noteLines(first, offset(wasmAddress), end > first ? LINES_PER_PAGE - 1 : offset(last));
    if (end > first) this.#noteLines(end, 0, offset(last));
    this.#bytes.fill(0xff, WRITTEN_LINES + 8 * (first + 1), WRITTEN_LINES + 8 * Math.max(first + 1, end));
  }

  /** Whether lines of pages are noted. */
  get #isByLine(): boolean {
    return this.#view.getUint32(WRITTEN_BY_LINE, true) !== 0;
  }

  /** Notes the lines `from` to `to` of a page of the Wasm memory. */
  #noteLines(page: number, from: number, to: number): void {
    const words = this.#words, at = WRITTEN_LINES / 4 + 2 * page;
    if (from < 32) words[at] |= -1 << from & -1 >>> 31 - Math.min(to, 31);
    if (to >= 32) words[at + 1] |= -1 << Math.max(from - 32, 0) & -1 >>> 63 - to;
  }

  /** Whether the page at a physical address may ever have been written. */
  mayHave(pa: number): boolean {
    const { base, wasmAddress } = this.ram;
    return hasPageBit(this.#bytes, WRITTEN_PAGES, pa - base + wasmAddress) || (this.#before?.has(Math.floor(pa / PAGE_SIZE)) ?? false);
  }

  /** Everything since the latest `forget`. */
  get latest(): Written {
    const pages = this.#pages(this.#map.slice()), entries: number[] = [], words = this.#words;
    for (const page of this.#isByLine ? pages : []) {
      const at = this.#linesAt(page), low = words[at], high = words[at + 1];
      if ((low & high) !== -1) entries.push(page, low, high);
    }
    return { pages, partial: new PartialPages(new Uint32Array(entries)), registers: this.#view.getBigUint64(WRITTEN_REGISTERS, true) };
  }

  /**
   * `latest` starts again from nothing.
   * @param byLine lines of pages are noted from now on
   */
  forget(byLine: boolean): void {
    const map = this.#map, pages = this.#pages(map), view = this.#view;
    this.#before ??= this.#pages(new Uint8Array(map.length));
    this.#before.add(pages);
    for (const page of pages) {
      const at = this.#linesAt(page);
      this.#words[at] = this.#words[at + 1] = 0;
    }
    map.fill(0);
    view.setBigUint64(WRITTEN_REGISTERS, 0n, true);
    view.setUint32(WRITTEN_BY_LINE, Number(byLine), true);
    view.setUint32(WRITTEN_REPEATS, REPEATS, true);
  }

  /** The index of the lines of a page in the memory's words. */
  #linesAt(page: number): number {
    const { base, wasmAddress } = this.ram;
    return WRITTEN_LINES / 4 + 2 * (page + (wasmAddress - base) / PAGE_SIZE);
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
