// Watchpoints of a debugger: ranges of virtual addresses, at whose accesses a VM stops, before they
// happen; and ranges of memory, at whose accesses every VM stops, by whatever address. A page
// with one never gets into a TLB's tables for data, so that every access to it takes the slow path,
// which asks here; all other pages cost nothing. Arm ARM D2.10 has the semantics of the hardware's
// watchpoints; here any range is possible.

import { PAGE_SHIFT } from "../../../kit/support/values/sizes.ts";

const PAGE_BITS = BigInt(PAGE_SHIFT);
/** Bits of an address that count: the top byte may be a tag (TCR_EL1.TBI). */
const ADDRESS_BITS = 56;

/** The accesses that a watchpoint stops. */
export type WatchKind = "write" | "read" | "access";

/** An access that a watchpoint stops. */
export interface WatchHit {
  /** The watchpoint's kind. */
  readonly kind: WatchKind;
  /** The first byte that is watched and would be accessed. */
  readonly address: bigint;
}

/** Bytes at whose accesses by vCPUs the machine stops, by physical address. */
export interface MemoryWatch {
  readonly pa: number;
  readonly length: number;
  /** `execute`: before an instruction there. */
  readonly kind: WatchKind | "execute";
  /** Further places of the same length, by physical address. */
  readonly more?: readonly number[];
}

/** Results of `look` for an access. */
export const Watch = {
  /** Nothing in this page is watched. */
  None: 0,
  /** Something in the page is, but not this. */
  Page: 1,
  Hit: 2,
} as const;

interface Watchpoint {
  readonly stage2: number;
  readonly address: bigint;
  readonly length: number;
  readonly kind: WatchKind;
}

/** A data access inside one page. A read and write is both. */
export interface LookedAt {
  readonly stage2: number;
  readonly va: bigint;
  /** Where its first byte is in the Wasm memory. */
  readonly wasmAddress: number;
  readonly size: number;
  readonly reads: boolean;
  readonly writes: boolean;
}

/** The watchpoints of all VMs. */
export class Watchpoints {
  #list: Watchpoint[] = [];
  /** The watched memory: places of one length in the Wasm memory. */
  memory: { readonly starts: readonly number[]; readonly length: number; readonly kind: WatchKind } | undefined;
  /** The latest hit. */
  hit: WatchHit | undefined;

  /** Whether any access matters to anybody. */
  get watching(): boolean {
    return this.#list.length > 0 || this.memory !== undefined;
  }

  /** The watched memory, if that is one place and nothing else is watched. */
  get onlyPlace(): { readonly start: number; readonly end: number } | undefined {
    const { memory } = this;
    if (!memory || memory.starts.length > 1 || this.#list.length) return undefined;
    const [start] = memory.starts;
    return { start, end: start + memory.length };
  }

  /** Watches `length` bytes; the same again changes nothing. */
  insert(stage2: number, address: bigint, length: number, kind: WatchKind): void {
    this.remove(stage2, address, length, kind);
    this.#list.push({ stage2, address: significant(address), length, kind });
  }

  /** Removes a watchpoint; does nothing when it does not exist. */
  remove(stage2: number, address: bigint, length: number, kind: WatchKind): void {
    const start = significant(address);
    this.#list = this.#list.filter((w) => w.stage2 !== stage2 || w.address !== start || w.length !== length || w.kind !== kind);
  }

  /** Whether anything is watched in a page, by its addresses. */
  isIn(stage2: number, va: bigint, wasmAddress: number): boolean {
    const page = significant(va) >> PAGE_BITS;
    return this.#isMemoryIn(wasmAddress >>> PAGE_SHIFT) || this.#list.some((one) => one.stage2 === stage2 && isInPage(one, page));
  }

  look(access: LookedAt): typeof Watch[keyof typeof Watch] {
    const { stage2, va, size } = access;
    const start = significant(va), page = start >> PAGE_BITS;
    let found = this.#lookInMemory(access);
    if (found === Watch.Hit) return found;
    for (const watchpoint of this.#list) {
      const { stage2: tables, address, kind } = watchpoint;
      if (tables !== stage2 || ignores(kind, access) || !isInPage(watchpoint, page)) continue;
      found = Watch.Page;
      if (!concerns(kind, access) || start > lastOf(watchpoint) || start + BigInt(size) <= address) continue;
      this.hit = { kind, address: BigInt.asUintN(64, start > address ? start : address) };
      return Watch.Hit;
    }
    return found;
  }

  #isMemoryIn(page: number): boolean {
    const { memory } = this;
    if (!memory) return false;
    return memory.starts.some((start) => page >= start >>> PAGE_SHIFT && page <= start + memory.length - 1 >>> PAGE_SHIFT);
  }

  #lookInMemory(access: LookedAt): typeof Watch[keyof typeof Watch] {
    const { memory } = this, { wasmAddress, size, va } = access;
    if (!memory || ignores(memory.kind, access) || !this.#isMemoryIn(wasmAddress >>> PAGE_SHIFT)) return Watch.None;
    const { starts, length, kind } = memory, start = starts.find((one) => wasmAddress < one + length && wasmAddress + size > one);
    if (!concerns(kind, access) || start === undefined) return Watch.Page;
    this.hit = { kind, address: BigInt.asUintN(64, va + BigInt(Math.max(0, start - wasmAddress))) };
    return Watch.Hit;
  }
}

/**
 * Whether a watch of this kind stops neither this access nor others that its TLB entry would serve:
 * entries for reads serve no writes.
 */
const ignores = (kind: WatchKind, { writes }: LookedAt) => kind === "write" && !writes;

const concerns = (kind: WatchKind, { reads, writes }: LookedAt) => kind === "access" || (kind === "read" ? reads : writes);

const lastOf = ({ address, length }: Watchpoint) => address + BigInt(length) - 1n;

const isInPage = (watchpoint: Watchpoint, page: bigint) =>
  page >= watchpoint.address >> PAGE_BITS && page <= lastOf(watchpoint) >> PAGE_BITS;

const significant = (address: bigint) => BigInt.asIntN(ADDRESS_BITS, address);
