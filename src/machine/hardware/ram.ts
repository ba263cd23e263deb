// Physical RAM: a window on the Wasm memory, addressed by physical addresses.

import { HYPERVISOR_WRITES, type RamWriter } from "../abi/ram-writer.ts";
import type { Core } from "../../cpu/core/interface.ts";
import { type MemoryMap, RAM_BASE, RAM_OFFSET } from "./memory-map.ts";

const FEW_BYTES = 16;

/** Called before a write to watched bytes, with its size, and what is written: bytes, or zeros. */
type WriteListener = (by: RamWriter, pa: number, size: number, bytes: Uint8Array | "zero") => void;

/**
 * RAM as devices, hypervisor and native guests see it. Writes are reported to the core, which may
 * hold decoded instructions of a page.
 */
export class Ram {
  readonly #bytes: Uint8Array;
  #unwritten = false;
  /** Another machine has the memory now. */
  #isLeft = false;
  #watch: { readonly pa: number; readonly end: number; readonly heard: WriteListener } | undefined;

  constructor(memory: WebAssembly.Memory, readonly map: MemoryMap, readonly core: Pick<Core, "memoryWritten" | "mayBeWritten">) {
    this.#bytes = new Uint8Array(memory.buffer, RAM_OFFSET, map.ramEnd - RAM_BASE);
  }

  /**
   * Whether every byte of the range is RAM. The gap between the primary's RAM and the hypervisor's
   * region is not RAM.
   */
  contains(pa: number, size: number): boolean {
    const { primaryEnd, hypervisorBase, ramEnd } = this.map;
    return pa >= RAM_BASE && pa + size <= primaryEnd || pa >= hypervisorBase && pa + size <= ramEnd;
  }

  /**
   * Whether anybody may have written to the page at `pa`; otherwise it is all zero, which need not
   * be read to be known.
   */
  mayBeWritten(pa: number): boolean {
    return this.core.mayBeWritten?.(pa) ?? true;
  }

  /** The bytes themselves, for reading. Throws a RangeError outside RAM. */
  bytes(pa: number, size: number): Uint8Array {
    this.#check(pa, size);
    return this.#bytes.subarray(pa - RAM_BASE, pa - RAM_BASE + size);
  }

  /** Fills `into` from `pa` on. Throws a RangeError outside RAM. */
  read(pa: number, into: Uint8Array): void {
    const { length } = into;
    this.#check(pa, length);
    const from = pa - RAM_BASE;
    // A view costs more than a few bytes do.
    if (length <= FEW_BYTES) { for (let i = 0; i < length; i++) into[i] = this.#bytes[from + i]; }
    else into.set(this.#bytes.subarray(from, from + length));
  }

  /**
   * Calls `work` while `write` and `zero` of RAM have no effect: the content is loaded afterwards.
   */
  unwritten<T>(work: () => T): T {
    this.#unwritten = true;
    try {
      return work();
    } finally {
      this.#unwritten = false;
    }
  }

  /** Reports writes to these bytes by others than instructions (`watchMemory`) from now on. */
  watch(pa: number, size: number, heard: WriteListener): void {
    this.#watch = { pa, end: pa + size, heard };
  }

  #report(by: RamWriter, pa: number, end: number, bytes: Uint8Array | "zero"): void {
    const watch = this.#watch;
    if (watch && pa < watch.end && end > watch.pa) watch.heard(by, pa, end - pa, bytes);
  }

  /** Writes bytes. Throws a RangeError outside RAM. */
  write(pa: number, bytes: Uint8Array, by = HYPERVISOR_WRITES): void {
    this.#check(pa, bytes.length);
    if (this.#unwritten) return;
    this.#report(by, pa, pa + bytes.length, bytes);
    this.#bytes.set(bytes, pa - RAM_BASE);
    this.core.memoryWritten(pa, bytes.length);
  }

  /** Zeroes the part of the range that is RAM. */
  zero(pa: number, size: number): void {
    if (this.#unwritten) return;
    this.#checkLeft();
    const { primaryEnd, hypervisorBase, ramEnd } = this.map;
    for (const [base, end] of [[RAM_BASE, primaryEnd], [hypervisorBase, ramEnd]]) {
      const from = Math.max(pa, base), to = Math.min(pa + size, end);
      if (from >= to) continue;
      this.#report(HYPERVISOR_WRITES, from, to, "zero");
      this.#bytes.fill(0, from - RAM_BASE, to - RAM_BASE);
      this.core.memoryWritten(from, to - from);
    }
  }

  /** Another machine gets the memory: nobody may read or write it by this one any more. */
  leave(): void {
    this.#isLeft = true;
  }

  #checkLeft(): void {
    if (this.#isLeft) throw new Error("RAM of a machine that is not used any more");
  }

  #check(pa: number, size: number): void {
    this.#checkLeft();
    if (!this.contains(pa, size)) throw new RangeError(`0x${pa.toString(16)} + ${size} is not RAM`);
  }
}
