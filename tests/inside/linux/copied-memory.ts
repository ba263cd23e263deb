// A copy of a machine's memory, for changes that the machine may not see.

import type { PhysicalMemory } from "../../../src/inside/linux/kernel/memory.ts";
import { RAM_BASE } from "../../../src/machine/hardware/memory-map.ts";
import { PAGE_SIZE } from "../../../src/kit/support/values/sizes.ts";

/** It notes the pages that are read. */
export class CopiedMemory implements PhysicalMemory {
  readonly touched = new Set<number>();
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes.slice();
  }

  page(ipa: number): Uint8Array | undefined {
    const at = ipa - RAM_BASE;
    if (at < 0 || at + PAGE_SIZE > this.#bytes.length) return undefined;
    this.touched.add(ipa);
    return this.#bytes.subarray(at, at + PAGE_SIZE);
  }

  ranges(): { ipa: number; size: number }[] {
    return [{ ipa: RAM_BASE, size: this.#bytes.length }];
  }
}
