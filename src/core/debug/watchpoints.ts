// Watchpoints of a debugger: ranges of virtual addresses, at whose accesses a VM stops, before they
// happen. A page with one never gets into a TLB's tables for data, so that every access to it takes
// the slow path, which asks here; all other pages cost nothing. Arm ARM D2.10 has the semantics of
// the hardware's watchpoints; here any range is possible.

import { PAGE_SHIFT } from "../../support/sizes.ts";

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

/** The watchpoints of all VMs. */
export class Watchpoints {
  #list: Watchpoint[] = [];
  /** The latest hit. */
  hit: WatchHit | undefined;

  /** Whether any access matters to anybody. */
  get watching(): boolean {
    return this.#list.length > 0;
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

  /** The result for an access inside one page. A read and write is both. */
  look(stage2: number, va: bigint, size: number, reads: boolean, writes: boolean): typeof Watch[keyof typeof Watch] {
    const start = significant(va), page = start >> PAGE_BITS;
    let inPage = false;
    for (const { stage2: tables, address, length, kind } of this.#list) {
      if (tables !== stage2) continue;
      const last = address + BigInt(length) - 1n;
      if (page < address >> PAGE_BITS || page > last >> PAGE_BITS) continue;
      inPage = true;
      const wanted = kind === "access" || (kind === "read" ? reads : writes);
      if (!wanted || start > last || start + BigInt(size) <= address) continue;
      this.hit = { kind, address: BigInt.asUintN(64, start > address ? start : address) };
      return Watch.Hit;
    }
    return inPage ? Watch.Page : Watch.None;
  }
}

const significant = (address: bigint) => BigInt.asIntN(ADDRESS_BITS, address);
