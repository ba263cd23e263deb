// Memory for copies of pages, in slabs with huge pages: where a computer is a virtual machine, a
// page fault for each copy takes several times as long as the copy.

import { preferHugePages } from "../../kit/support/computer/huge-pages.ts";
import { PAGE_SIZE, WASM_PAGE_SIZE } from "../../kit/support/values/sizes.ts";

/** Pages of a slab: 16 MiB. */
export const SLAB_PAGES = 4096;

class Slab {
  /** Slots that were never used, from here on, and those that are free again. */
  #end = 0;
  readonly #free: number[] = [];
  readonly #bytes: Uint8Array;

  constructor() {
    const count = SLAB_PAGES * PAGE_SIZE / WASM_PAGE_SIZE, memory = new WebAssembly.Memory({ initial: count, maximum: count });
    preferHugePages(memory, 0);
    this.#bytes = new Uint8Array(memory.buffer);
  }

  get isFull(): boolean {
    return this.#free.length === 0 && this.#end === SLAB_PAGES;
  }

  get isEmpty(): boolean {
    return this.#free.length === this.#end;
  }

  allocate(): { readonly slot: number; readonly bytes: Uint8Array } {
    const slot = this.#free.pop() ?? this.#end++;
    return { slot, bytes: this.#bytes.subarray(slot * PAGE_SIZE, (slot + 1) * PAGE_SIZE) };
  }

  release(slot: number): void {
    this.#free.push(slot);
  }
}

/**
 * A slot is free again when nobody has its array any more. A slab goes when all its slots are free.
 */
export class PagePool {
  readonly #slabs = new Set<Slab>();
  #current: Slab | undefined;
  readonly #gone = new FinalizationRegistry<{ readonly slab: Slab; readonly slot: number }>(({ slab, slot }) => {
    slab.release(slot);
    if (slab.isEmpty && slab !== this.#current) this.#slabs.delete(slab);
  });

  /** Slabs that are in use. */
  get slabs(): number {
    return this.#slabs.size;
  }

  /**
   * @param content of one page
   * @throws RangeError if the system gives no memory
   */
  copy(content: Uint8Array): Uint8Array {
    const slab = this.#current = this.#withRoom(), { slot, bytes } = slab.allocate();
    bytes.set(content);
    this.#gone.register(bytes, { slab, slot });
    return bytes;
  }

  #withRoom(): Slab {
    if (this.#current?.isFull === false) return this.#current;
    for (const slab of this.#slabs) if (!slab.isFull) return slab;
    const slab = new Slab();
    this.#slabs.add(slab);
    return slab;
  }
}
