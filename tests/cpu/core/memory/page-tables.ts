// Stage-1 translation tables built in the RAM of a rig.

import { RAM_BASE, type Rig } from "../rig.ts";

/** Attributes of leaves and tables (Arm ARM D5.3.3). */
export const Leaf = {
  User: 1n << 6n,
  ReadOnly: 1n << 7n,
  Accessed: 1n << 10n,
  NonGlobal: 1n << 11n,
  Pxn: 1n << 53n,
  Uxn: 1n << 54n,
  /** AttrIndx 1, which `PageTables` makes Device-nGnRE. */
  Device: 1n << 2n,
  TablePxn: 1n << 59n,
  TableXn: 1n << 60n,
  TableNoUser: 1n << 61n,
  TableNoWrite: 1n << 62n,
} as const;

export const SCTLR_OFF = 0x30d00800n;
export const SCTLR_ON = SCTLR_OFF | 1n;
/** 48-bit halves, 36-bit outputs. */
export const TCR_48 = 16n | 16n << 16n | 2n << 30n | 1n << 32n;

/** Tables for one half of the address space. They take RAM from 0x40200000 up. */
export class PageTables {
  static #next = new WeakMap<Rig, number>();
  readonly root: number;

  /** @param pageShift log2 of the bytes of a page */
  constructor(readonly rig: Rig, readonly tsz = 16, readonly pageShift = 12) {
    this.root = this.#table();
  }

  get startLevel(): number {
    return 4 - Math.ceil((64 - this.tsz - this.pageShift) / (this.pageShift - 3));
  }

  /** Physical address of the descriptor for `va` at `level`, tables above it made as needed. */
  descriptor(va: bigint, level: number, tableBits = 0n): number {
    let table = this.root;
    for (let at = this.startLevel;; at++) {
      const indexBits = this.pageShift - 3, shift = BigInt(this.pageShift + (3 - at) * indexBits);
      const bits = at === this.startLevel ? BigInt(64 - this.tsz) - shift : BigInt(indexBits);
      const address = table + Number(va >> shift & ((1n << bits) - 1n)) * 8;
      if (at === level) return address;
      if (!(this.rig.peek(address) & 1n)) this.rig.poke(address, BigInt(this.#table()) | 3n | tableBits);
      table = Number(this.rig.peek(address) & 0xfffffffff000n);
    }
  }

  /** Maps one page (level 3) or block (levels 1 and 2). */
  map(va: bigint, pa: number | bigint, attributes = Leaf.Accessed, level = 3, tableBits = 0n): void {
    this.rig.poke(this.descriptor(va, level, tableBits), BigInt(pa) | attributes | (level === 3 ? 3n : 1n));
  }

  #table(): number {
    const size = 2 ** this.pageShift, next = PageTables.#next.get(this.rig) ?? RAM_BASE + 0x20_0000;
    const at = Math.ceil(next / size) * size;
    PageTables.#next.set(this.rig, at + size);
    for (let i = 0; i < size; i += 8) this.rig.poke(at + i, 0n);
    return at;
  }
}

/**
 * Turns stage 1 on with these tables for the two halves, by the instructions that a kernel uses.
 */
export function enable(rig: Rig, low: PageTables, high = low, tcr = TCR_48): void {
  const msr = (crn: number, crm: number, op2: number, value: bigint) =>
    rig.call("writeSystemRegister", 3 << 14 | crn << 7 | crm << 3 | op2, BigInt.asIntN(64, value));
  msr(10, 2, 0, 0xffn | 0x04n << 8n);
  msr(2, 0, 2, (tcr & ~0x3fn & ~(0x3fn << 16n)) | BigInt(low.tsz) | BigInt(high.tsz) << 16n);
  msr(2, 0, 0, BigInt(low.root));
  msr(2, 0, 1, BigInt(high.root));
  msr(1, 0, 0, SCTLR_ON);
}
