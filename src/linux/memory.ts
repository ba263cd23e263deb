// A VM's memory as its kernel sees it: read through the VM's own page tables, which are walked
// here, so that no vCPU has to exist. The memory is a guest's: reading is counted, and an unmapped
// address is an error that names it.

import { PAGE_SIZE } from "../support/sizes.ts";
import { Work } from "../support/work.ts";

/** Memory of a VM by intermediate physical address. */
export interface PhysicalMemory {
  /** The 4 KiB page at a multiple of its size, not to be written; undefined if it is not RAM. */
  page(ipa: number): Uint8Array | undefined;
  /** RAM, from low to high. */
  ranges(): Iterable<{ readonly ipa: number; readonly size: number }>;
}

/** EL1's registers of translation. */
export interface TranslationRegisters {
  readonly ttbr1: bigint;
  readonly tcr: bigint;
}

/** Structures that do not hold together: what is wrong, and where. */
export class BadMemory extends Error {
  constructor(readonly code: "unmapped" | "invalid", readonly what: string, readonly address: bigint) {
    super(`${what} at 0x${address.toString(16)}`);
  }
}

/** Reading took more steps than a kernel's structures can need. */
export class TooMuch extends Error {}

/** Steps (reads and levels of page tables) of one answer. */
export const STEPS_MAX = 1_500_000;

/** Tables of stage 1 for one half of the addresses. */
export interface Tables {
  readonly root: number;
  /** Bits of an offset in a page: 12, 14 or 16. */
  readonly granule: number;
  /** Bits of an address that are translated. */
  readonly bits: number;
  readonly upper: boolean;
}

/** Bits 47 to 1 of TTBR are the tables' address; CnP is bit 0 (Arm ARM D19.2.149). */
const TTBR_ADDRESS = (1n << 48n) - 2n;
/** TCR_EL1.TG1 and TG0 have different encodings (D19.2.139). */
const TG1: Readonly<Record<number, number>> = { 1: 14, 2: 12, 3: 16 }, TG0: Readonly<Record<number, number>> = { 0: 12, 1: 16, 2: 14 };
const VALID = 1n, TABLE = 2n;
/** Where kernels are mapped begins here. */
export const UPPER_HALF = 1n << 63n;
const ENTRY_SIZE = 8;
const PAGE = BigInt(PAGE_SIZE), PAGE_OFFSET = PAGE - 1n;

/** The tables of the kernel's half; undefined for a reserved granule. */
export function upperTables({ ttbr1, tcr }: TranslationRegisters): Tables | undefined {
  const granule = TG1[Number(tcr >> 30n & 3n)];
  return granule === undefined
    ? undefined
    : { root: Number(ttbr1 & TTBR_ADDRESS), granule, bits: 64 - Number(tcr >> 16n & 0x3fn), upper: true };
}

/** The tables of a process, whose first one is at `root`. */
export function lowerTables(root: number, tcr: bigint): Tables | undefined {
  const granule = TG0[Number(tcr >> 14n & 3n)];
  return granule === undefined ? undefined : { root, granule, bits: 64 - Number(tcr & 0x3fn), upper: false };
}

/** The intermediate physical address of a virtual one; undefined if it is not mapped. */
export function translate(physical: PhysicalMemory, tables: Tables, address: bigint, work: Work): number | undefined {
  return inLeaf(physical, tables, leafOf(physical, tables, address, work), address, work);
}

/** The last table for the addresses around one, or the block that maps them. */
type Leaf = { readonly table: number } | { readonly block: number; readonly shift: bigint } | undefined;

function entryAt(physical: PhysicalMemory, at: number, work: Work): bigint | undefined {
  work.spend();
  const page = physical.page(at - at % PAGE_SIZE);
  return page && new DataView(page.buffer, page.byteOffset + at % PAGE_SIZE).getBigUint64(0, true);
}

function leafOf(physical: PhysicalMemory, { root, granule, bits, upper }: Tables, address: bigint, work: Work): Leaf {
  if (address >> BigInt(bits) !== (upper ? (1n << BigInt(64 - bits)) - 1n : 0n)) return undefined;
  const width = granule - 3;
  let table = root;
  for (let level = Math.ceil((bits - granule) / width) - 1; level > 0; level--) {
    const shift = BigInt(granule + level * width);
    const index = Number((address & (1n << BigInt(bits)) - 1n) >> shift & (1n << BigInt(width)) - 1n);
    const entry = entryAt(physical, table + ENTRY_SIZE * index, work);
    if (entry === undefined || !(entry & VALID)) return undefined;
    const next = entry & (1n << 48n) - (1n << BigInt(granule));
    if (!(entry & TABLE)) return { block: Number(next & -(1n << shift)), shift };
    table = Number(next);
  }
  return { table };
}

function inLeaf(physical: PhysicalMemory, { granule }: Tables, leaf: Leaf, address: bigint, work: Work): number | undefined {
  if (!leaf) return undefined;
  if ("block" in leaf) return leaf.block + Number(address & (1n << leaf.shift) - 1n);
  const index = Number(address >> BigInt(granule) & (1n << BigInt(granule - 3)) - 1n);
  const entry = entryAt(physical, leaf.table + ENTRY_SIZE * index, work);
  if (entry === undefined || !(entry & VALID) || !(entry & TABLE)) return undefined;
  return Number(entry & (1n << 48n) - (1n << BigInt(granule))) + Number(address & (1n << BigInt(granule)) - 1n);
}

/** Memory by virtual address. Pages are looked up once: the memory may not change meanwhile. */
export class VirtualMemory {
  readonly #pages = new Map<bigint, DataView | undefined>();
  /** The last table or block that was used, and the bits above the addresses that it maps. */
  #leaf: Leaf;
  #around: bigint | undefined;
  readonly #leafBits: bigint;

  constructor(readonly physical: PhysicalMemory, readonly tables: Tables, readonly work: Work) {
    this.#leafBits = BigInt(2 * tables.granule - 3);
  }

  #translate(address: bigint): number | undefined {
    const around = address >> this.#leafBits;
    if (around !== this.#around) [this.#leaf, this.#around] = [leafOf(this.physical, this.tables, address, this.work), around];
    return inLeaf(this.physical, this.tables, this.#leaf, address, this.work);
  }

  /** The page with an address; undefined if it is not mapped to RAM. */
  page(address: bigint): DataView | undefined {
    const key = address & ~PAGE_OFFSET;
    const known = this.#pages.get(key);
    if (known || this.#pages.has(key)) return known;
    const ipa = this.#translate(key), bytes = ipa === undefined ? undefined : this.physical.page(ipa);
    const view = bytes && new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#pages.set(key, view);
    return view;
  }

  /** A view and an offset in it where `size` bytes are. @throws BadMemory */
  #at(address: bigint, size: number): { view: DataView; offset: number } {
    this.work.spend();
    const offset = Number(address & PAGE_OFFSET);
    if (offset + size > PAGE_SIZE) {
      const bytes = this.bytes(address, size);
      return { view: new DataView(bytes.buffer), offset: 0 };
    }
    const view = this.page(address);
    if (!view) throw new BadMemory("unmapped", "nothing is mapped", address);
    return { view, offset };
  }

  /** Whether all bytes are mapped to RAM. */
  has(address: bigint, size: number): boolean {
    for (let at = address & ~PAGE_OFFSET; at < address + BigInt(size); at += PAGE) if (!this.page(at)) return false;
    return true;
  }

  /** @throws BadMemory, as all of these do */
  u8(address: bigint): number {
    const { view, offset } = this.#at(address, 1);
    return view.getUint8(offset);
  }

  u16(address: bigint): number {
    const { view, offset } = this.#at(address, 2);
    return view.getUint16(offset, true);
  }

  u32(address: bigint): number {
    const { view, offset } = this.#at(address, 4);
    return view.getUint32(offset, true);
  }

  u64(address: bigint): bigint {
    const { view, offset } = this.#at(address, 8);
    return view.getBigUint64(offset, true);
  }

  /** A copy. */
  bytes(address: bigint, size: number): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(size);
    for (let done = 0; done < size;) {
      this.work.spend();
      const at = address + BigInt(done), view = this.page(at);
      if (!view) throw new BadMemory("unmapped", "nothing is mapped", at);
      const offset = Number(at & PAGE_OFFSET), length = Math.min(size - done, PAGE_SIZE - offset);
      bytes.set(new Uint8Array(view.buffer, view.byteOffset + offset, length), done);
      done += length;
    }
    return bytes;
  }

  /** Characters up to a zero, at most `most`. */
  text(address: bigint, most: number): string {
    const bytes: number[] = [];
    for (let at = address; bytes.length < most; at++) {
      const byte = this.u8(at);
      if (byte === 0) break;
      bytes.push(byte);
    }
    return textOf(new Uint8Array(bytes));
  }
}

/** Bytes up to a zero as text; those that are not UTF-8 become U+FFFD. */
export function textOf(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return DECODER.decode(end < 0 ? bytes : bytes.subarray(0, end));
}

const DECODER = new TextDecoder();
