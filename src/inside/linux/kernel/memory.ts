// A VM's memory as its kernel sees it: read through the VM's own page tables, which are walked
// here, so that no vCPU has to exist. The memory is a guest's: reading is counted, and an unmapped
// address is an error that names it.

import {
  type Descriptor,
  isInHalf,
  lastTableShift,
  outputOf,
  type ReadEntry,
  type Tables,
  walkBeside,
  walkTables,
} from "../../../kit/formats/page-tables.ts";
import { PAGE_SIZE } from "../../../kit/support/values/sizes.ts";
import { Work } from "../../../kit/support/values/work.ts";

/** Memory of a VM by intermediate physical address. */
export interface PhysicalMemory {
  /** The 4 KiB page at a multiple of its size, not to be written; undefined if it is not RAM. */
  page(ipa: number): Uint8Array | undefined;
  /** RAM, from low to high. */
  ranges(): Iterable<{ readonly ipa: number; readonly size: number }>;
  /** The pages to which anything may have been written, where that is known. */
  written?(): Iterable<Uint8Array>;
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

/**
 * Steps of one answer: reads, levels of page tables, and whatever loops do between them. A step is
 * some tenth of a microsecond.
 */
export const STEPS_MAX = 600_000;
/** Steps that the copy of a page takes, and an exception that says what could not be read. */
export const COPIED_PAGE = 4, FAILURE = 64;
/** Characters of a text that are one step: a text also takes room in the answer. */
const CHARACTERS = 16;

const PAGE = BigInt(PAGE_SIZE), PAGE_OFFSET = PAGE - 1n;

/** The intermediate physical address of a virtual one; undefined if it is not mapped. */
export function translate(physical: PhysicalMemory, tables: Tables, address: bigint, work: Work): number | undefined {
  return isInHalf(tables, address) ? outputAt(walkTables(tables, address, entriesOf(physical, work)), address) : undefined;
}

const outputAt = (end: Descriptor, address: bigint) => end.kind === "leaf" ? outputOf(end, address) : undefined;

/** Reads descriptors, and counts them. */
export function entriesOf(physical: PhysicalMemory, work: Work): ReadEntry {
  return (at) => {
    work.spend();
    const page = physical.page(at - at % PAGE_SIZE);
    return page && new DataView(page.buffer, page.byteOffset + at % PAGE_SIZE).getBigUint64(0, true);
  };
}

/** A place in memory: in the view of a page, or of a copy where it is in two pages. */
export interface MemoryPlace {
  readonly view: DataView;
  readonly offset: number;
}

/** Whether it is in a page, which changes with the memory. */
export const isInPage = ({ view }: MemoryPlace): boolean => view.byteLength === PAGE_SIZE;

/** Memory by virtual address. Pages are looked up once: the memory may not change meanwhile. */
export class VirtualMemory {
  readonly #pages = new Map<bigint, DataView | undefined>();
  /** The end of the last walk, and the bits of addresses that lead to the same last table. */
  #end: Descriptor | undefined;
  #around: bigint | undefined;
  readonly #shift: bigint;
  readonly #read: ReadEntry;

  constructor(readonly physical: PhysicalMemory, readonly tables: Tables, readonly work: Work) {
    this.#shift = BigInt(lastTableShift(tables));
    this.#read = entriesOf(physical, work);
  }

  #translate(address: bigint): number | undefined {
    if (!isInHalf(this.tables, address)) return undefined;
    const around = address >> this.#shift;
    this.#end = this.#end && around === this.#around
      ? walkBeside(this.tables, this.#end, address, this.#read)
      : walkTables(this.tables, address, this.#read);
    this.#around = around;
    return outputAt(this.#end, address);
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
  view(address: bigint, size: number): MemoryPlace {
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
    const end = address + BigInt(size);
    for (let at = address & ~PAGE_OFFSET; at < end; at += PAGE) {
      this.work.spend();
      if (!this.page(at)) return false;
    }
    return true;
  }

  /** @throws BadMemory, as all of these do */
  u8(address: bigint): number {
    const { view, offset } = this.view(address, 1);
    return view.getUint8(offset);
  }

  u16(address: bigint): number {
    const { view, offset } = this.view(address, 2);
    return view.getUint16(offset, true);
  }

  u32(address: bigint): number {
    const { view, offset } = this.view(address, 4);
    return view.getUint32(offset, true);
  }

  u64(address: bigint): bigint {
    const { view, offset } = this.view(address, 8);
    return view.getBigUint64(offset, true);
  }

  /** A copy. */
  bytes(address: bigint, size: number): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(size);
    for (let done = 0; done < size;) {
      const at = address + BigInt(done), offset = Number(at & PAGE_OFFSET), length = Math.min(size - done, PAGE_SIZE - offset);
      this.work.spend(1 + Math.floor(length * COPIED_PAGE / PAGE_SIZE));
      const view = this.page(at);
      if (!view) throw new BadMemory("unmapped", "nothing is mapped", at);
      bytes.set(new Uint8Array(view.buffer, view.byteOffset + offset, length), done);
      done += length;
    }
    return bytes;
  }

  /** A copy; undefined where not all is mapped. */
  mapped(address: bigint, size: number): Uint8Array<ArrayBuffer> | undefined {
    return this.has(address, size) ? this.bytes(address, size) : undefined;
  }

  /** Bytes as text, up to a zero. */
  textIn(address: bigint, size: number): string {
    this.work.spend(size / CHARACTERS | 0);
    return textOf(this.bytes(address, size));
  }

  /** Characters up to a zero, at most `most`; each is a step. */
  text(address: bigint, most: number): string {
    const bytes: number[] = [];
    for (let byte = -1; byte !== 0 && bytes.length < most;) {
      const { view, offset } = this.view(address + BigInt(bytes.length), 1), end = Math.min(offset + most - bytes.length, PAGE_SIZE);
      let at = offset;
      while (at < end && (byte = view.getUint8(at)) !== 0) at++, bytes.push(byte);
      this.work.spend(at - offset);
    }
    return textOf(new Uint8Array(bytes));
  }
}

/** The memory that a CPU sees at an instant, page by page as it translates. */
export class SeenMemory extends VirtualMemory {
  #address = -1n;
  #view: DataView | undefined;
  readonly #entry: ReadEntry;

  /**
   * @param see the page at a virtual address; undefined if it is not RAM
   * @param physicalPage the page at an intermediate physical one, likewise
   */
  constructor(
    physical: PhysicalMemory,
    tables: Tables,
    readonly see: (address: bigint) => DataView | undefined,
    readonly physicalPage: (ipa: number) => DataView | undefined,
  ) {
    super(physical, tables, new Work(STEPS_MAX, () => new TooMuch()));
    this.#entry = (at) => {
      this.work.spend();
      return physicalPage(at - at % PAGE_SIZE)?.getBigUint64(at % PAGE_SIZE, true);
    };
  }

  /** Forgets its page: time has passed. */
  renew(): void {
    this.#address = -1n;
    this.work.renew(STEPS_MAX);
  }

  override page(address: bigint): DataView | undefined {
    const key = address & ~PAGE_OFFSET;
    if (key !== this.#address) {
      this.#view = this.see(key);
      this.#address = key;
    }
    return this.#view;
  }

  /**
   * The page with an address by other tables, such as a program's; undefined if it is not mapped to
   * RAM.
   */
  pageBy(tables: Tables, address: bigint): DataView | undefined {
    const ipa = isInHalf(tables, address)
      ? outputAt(walkTables(tables, address & ~PAGE_OFFSET, this.#entry), address & ~PAGE_OFFSET)
      : undefined;
    return ipa === undefined ? undefined : this.physicalPage(ipa);
  }
}

/** Longer texts are decoded faster at once than byte by byte. */
const SHORT = 64;

/** Bytes up to a zero as text; those that are not UTF-8 become U+FFFD. */
export function textOf(bytes: Uint8Array): string {
  const zero = bytes.indexOf(0), end = zero < 0 ? bytes.length : zero;
  let text = "";
  for (let at = 0; at < end && end <= SHORT && bytes[at] < 0x80; at++) text += String.fromCharCode(bytes[at]);
  return text.length === end ? text : DECODER.decode(bytes.subarray(0, end));
}

const DECODER = new TextDecoder();
