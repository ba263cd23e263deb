// Which vCPU has which TLB space, and what is in the spaces.

import { DataEntry, FetchEntry, TlbSet } from "../state/cpu-state.ts";
import { DISABLING_BIT, DISTANCE_MASK, EMPTY_DATA, Miss, REGIMES, TlbFlags, type TlbPoolLayout, TlbSpace } from "../state/tlb-layout.ts";
import { PAGE_SHIFT, PAGE_SIZE } from "../../../kit/support/values/sizes.ts";

/**
 * Both words of an entry that matches nothing: of the tag of a fetch, and of data in the lower half
 * of a table; in the upper half those are 0.
 */
const NOTHING = 0xffff_ffff;

/** An entry of a data table: a page of virtual addresses, and of the Wasm memory. */
interface DataPage {
  readonly va: bigint;
  readonly wasmAddress: number;
  /** It serves writes, otherwise reads. */
  readonly write: boolean;
}

/** Addresses of an entry of a data table and of its flags. */
interface DataPlace {
  readonly at: number;
  readonly flagsAt: number;
}

/** Which vCPU has which space. The least recently used one is recycled. */
export class TlbPool {
  readonly #words: Uint32Array;
  /** Owner and last use of each space. */
  readonly #owners: { owner: object | undefined; used: number }[];
  #clock = 0;

  /**
   * `flush` is the module's `tlbFlushSpace`. Until it is first acquired, a space belongs to no
   * tables and is not looked up.
   */
  constructor(memory: WebAssembly.Memory, readonly layout: TlbPoolLayout, readonly flush: (space: number) => void) {
    this.#words = new Uint32Array(memory.buffer);
    for (const { from, bytes, value } of EMPTY_DATA) new Uint8Array(memory.buffer, layout.empty + from, bytes).fill(value);
    this.#owners = Array.from({ length: layout.spaces }, () => ({ owner: undefined, used: 0 }));
  }

  /**
   * Address of the space of `owner` for translations through stage-2 tables `stage2`; empty if the
   * owner had none.
   */
  acquire(owner: object, stage2: number): number {
    let index = this.#find(owner);
    const found = index >= 0;
    if (!found) index = this.#owners.reduce((oldest, entry, i) => entry.used < this.#owners[oldest].used ? i : oldest, 0);
    const space = this.layout.base + index * TlbSpace.Size;
    if (!found || this.#words[(space + TlbSpace.Stage2Id) >>> 2] !== stage2) {
      this.flush(space);
      this.#words[(space + TlbSpace.Stage2Id) >>> 2] = stage2;
      for (const word of [TlbSpace.Miss, TlbSpace.Misses, TlbSpace.TableWork, TlbSpace.Level, TlbSpace.Latest]) {
        this.#words[(space + word) >>> 2] = 0;
      }
    }
    const entry = this.#owners[index];
    entry.owner = owner;
    entry.used = ++this.#clock;
    return space;
  }

  /**
   * Index of the space of `owner`; -1 where it has none. Two vCPUs that take turns come here often.
   */
  #find(owner: object): number {
    const owners = this.#owners;
    for (let index = 0; index < owners.length; index++) if (owners[index].owner === owner) return index;
    return -1;
  }

  /** The entries that the data tables of all spaces hold for stage-2 tables `stage2`. */
  *entries(stage2: number): Generator<DataPage> {
    for (let index = 0; index < this.layout.spaces; index++) {
      const space = this.layout.base + index * TlbSpace.Size;
      if (this.#words[(space + TlbSpace.Stage2Id) >>> 2] === stage2) yield* this.#dataEntries(space);
    }
  }

  /** The data entries of `owner` that lead to one of these pages. */
  *leadingTo(owner: object, wasmAddresses: ReadonlySet<number>): Generator<DataPage> {
    const index = this.#find(owner);
    if (index >= 0) yield* this.#dataEntries(this.layout.base + index * TlbSpace.Size, wasmAddresses);
  }

  /** @param targets Wasm addresses of pages; absent: any */
  *#dataEntries(space: number, targets?: ReadonlySet<number>): Generator<DataPage & DataPlace> {
    const words = this.#words, bytes = new Uint8Array(words.buffer);
    for (let regime = 0; regime < REGIMES; regime++) {
      const set = space + regime * TlbSet.Size;
      for (const [table, flags] of [[TlbSet.Read, TlbSet.ReadFlags], [TlbSet.Write, TlbSet.WriteFlags]]) {
        for (let index = 0; index < TlbSet.Entries; index++) {
          const at = set + table + index * DataEntry.Size, flagsAt = set + flags + index, entry = words[at >>> 2];
          const low = bytes[flagsAt] & TlbFlags.Slow ? entry ^ DISABLING_BIT : entry;
          if ((low >>> 24 & 1) !== index >>> 12) continue;
          const va = (low & ~DISTANCE_MASK | index << PAGE_SHIFT & DISTANCE_MASK) >>> 0;
          const wasmAddress = va + ((low & DISTANCE_MASK) << DataEntry.DistanceShift) >>> 0;
          if (targets && !targets.has(wasmAddress)) continue;
          yield { va: BigInt(words[(at >>> 2) + 1]) << 32n | BigInt(va), wasmAddress, write: table === TlbSet.Write, at, flagsAt };
        }
      }
    }
  }

  /** Whether no TLBI has come to the space of `owner` since a store made entries of it suspect. */
  isUnanswered(owner: object): boolean {
    const index = this.#find(owner);
    return index >= 0 && this.#words[(this.layout.base + index * TlbSpace.Size + TlbSpace.Miss) >>> 2] === Miss.Store;
  }

  /** Of a core with EL2: that a space is of EL2's regime. */
  setOfEl2(space: number): void {
    this.#words[(space + TlbSpace.Level) >>> 2] = 2;
  }

  /** Whether a space is the one of its vCPU's for EL1&0 that was used last. */
  isLatest(space: number): boolean {
    return this.#words[(space + TlbSpace.Latest) >>> 2] !== 0;
  }

  /** Whether a space may hold Device memory. */
  hasDevice(space: number): boolean {
    return this.#words[(space + TlbSpace.HasDevice) >>> 2] !== 0;
  }

  /** Whether `owner` has a space, for translations through stage-2 tables `stage2`. */
  isFor(owner: object, stage2: number): boolean {
    const index = this.#find(owner);
    return index >= 0 && this.#words[(this.layout.base + index * TlbSpace.Size + TlbSpace.Stage2Id) >>> 2] === stage2;
  }

  /** The spaces that have owners, the one that was used last at the end. */
  owned(): { owner: object; space: number }[] {
    const all = this.#owners.map(({ owner, used }, index) => ({ owner, used, space: this.layout.base + index * TlbSpace.Size }));
    return all.sort((a, b) => a.used - b.used).flatMap(({ owner, space }) => owner ? { owner, space } : []);
  }

  /** Drops fetches for which `drops` is true: of a page by its address and its decoded page. */
  dropFetches(drops: (stage2: number, va: bigint, decoded: number) => boolean): void {
    const words = this.#words;
    for (const { space } of this.owned()) {
      const stage2 = words[(space + TlbSpace.Stage2Id) >>> 2];
      for (let regime = 0; regime < REGIMES; regime++) {
        const first = space + regime * TlbSet.Size + TlbSet.Fetch;
        for (let entry = first; entry < first + TlbSet.FetchEntries * FetchEntry.Size; entry += FetchEntry.Size) {
          const at = entry >>> 2, low = words[at], high = words[at + 1];
          if (low % PAGE_SIZE || !drops(stage2, BigInt(high) << 32n | BigInt(low), words[(entry + FetchEntry.Decoded) >>> 2])) continue;
          words[at] = words[at + 1] = NOTHING;
        }
      }
    }
  }

  /** Drops data of pages for which `drops` is true, by their addresses. */
  dropData(drops: (stage2: number, va: bigint, wasmAddress: number) => boolean): void {
    const words = this.#words, bytes = new Uint8Array(words.buffer);
    for (const { space } of this.owned()) {
      const stage2 = words[(space + TlbSpace.Stage2Id) >>> 2];
      for (const { va, wasmAddress, at, flagsAt } of this.#dataEntries(space)) {
        if (!drops(stage2, va, wasmAddress)) continue;
        words[at >>> 2] = words[(at >>> 2) + 1] = va & BigInt(DISABLING_BIT) ? 0 : NOTHING;
        bytes[flagsAt] &= ~(TlbFlags.Slow | TlbFlags.Suspect);
      }
    }
  }

  /** Drops what is cached for `owner`: its translation registers were written from outside. */
  invalidate(owner: object): void {
    const index = this.#find(owner);
    if (index >= 0) this.flush(this.layout.base + index * TlbSpace.Size);
  }

  /** All spaces are free. */
  clear(): void {
    for (const { owner } of this.owned()) this.release(owner);
  }

  /** The owner's space is free. */
  release(owner: object): void {
    const entry = this.#owners.find((entry) => entry.owner === owner);
    if (!entry) return;
    this.#words[(this.layout.base + this.#owners.indexOf(entry) * TlbSpace.Size + TlbSpace.Stage2Id) >>> 2] = 0;
    Object.assign(entry, { owner: undefined, used: 0 });
  }
}
