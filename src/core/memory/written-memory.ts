// Pages and system registers that were written, by instructions or from outside: the maps that the
// Wasm module keeps since `Core.forgetWritten`, and the pages from before.

import { WRITTEN_PAGES, WRITTEN_REGISTERS } from "../state/layout.ts";
import { hasPageBit, setPageBits } from "../state/page-bits.ts";
import { PageSet } from "../../support/page-set.ts";
import { PAGE_SHIFT, PAGE_SIZE } from "../../support/sizes.ts";
import type { RamLayout } from "./mmu.ts";

/** log2 of the bytes of RAM that one byte of the map stands for. */
const BYTE_SHIFT = PAGE_SHIFT + 3;

/** Everything that was written in a part of a run. */
export interface Written {
  readonly pages: PageSet;
  /** A bit for each register (`registerWrites`), of all vCPUs together. */
  readonly registers: bigint;
}

export class WrittenMemory {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  /** Pages that were written before the latest `forget`. */
  #before: PageSet | undefined;

  constructor(memory: WebAssembly.Memory, readonly ram: RamLayout) {
    this.#bytes = new Uint8Array(memory.buffer);
    this.#view = new DataView(memory.buffer);
  }

  /** RAM in [wasmAddress, wasmAddress + size) was written from outside. */
  note(wasmAddress: number, size: number): void {
    setPageBits(this.#bytes, WRITTEN_PAGES, wasmAddress, size);
  }

  /** Whether the page at a physical address may ever have been written. */
  mayHave(pa: number): boolean {
    const { base, wasmAddress } = this.ram;
    return hasPageBit(this.#bytes, WRITTEN_PAGES, pa - base + wasmAddress) || (this.#before?.has(Math.floor(pa / PAGE_SIZE)) ?? false);
  }

  /** Everything since the latest `forget`. */
  get latest(): Written {
    return { pages: this.#pages(this.#map.slice()), registers: this.#view.getBigUint64(WRITTEN_REGISTERS, true) };
  }

  /** `latest` starts again from nothing. */
  forget(): void {
    const map = this.#map;
    this.#before ??= this.#pages(new Uint8Array(map.length));
    this.#before.add(this.#pages(map));
    map.fill(0);
    this.#view.setBigUint64(WRITTEN_REGISTERS, 0n, true);
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
