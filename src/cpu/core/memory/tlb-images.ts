// The content of vCPUs' TLBs as words of a state. A kernel may leave translations that its tables
// no longer hold to a TLB, such as those whose access flag it clears: without them a machine would
// take another way than the run that the state is of.
//
//     tlbs     owner, which is a vCPU, or with EL2 one of its three spaces; the words of the space
//              from the ASID on, and with EL2 its controls; parts of the block filter: number,
//              word; then for each regime, each preceded by its number:
//     fetches  VA[31:12] with the flags, VA[63:32], PA
//     reads    a run of entries with one value: index, length - 1 and flags; the value, 2 words
//     writes   the same
//     tables   PAs of pages whose descriptors are watched (table-stores.ts)
//
// Addresses in a value are away from physical ones, as guest RAM may lie elsewhere in the memory.

import { DataEntry, FetchEntry, TlbSet } from "../state/cpu-state.ts";
import { DECODED_OWNERS, DECODED_PAGE_SIZE, DECODED_PAGES, TABLE_PAGES } from "../state/layout.ts";
import { setPageBits } from "../state/page-bits.ts";
import { BLOCK_FILTER_BITS, DISABLING_BIT, DISTANCE_MASK, ListKind, Regime, REGIMES, TlbFlags, TlbSpace } from "../state/tlb-layout.ts";
import { PAGE_SHIFT, PAGE_SIZE } from "../../../kit/support/values/sizes.ts";
import type { RamLayout } from "./translation.ts";
import { Stage2Flags, type Stage2Table } from "./stage2-table.ts";
import type { TlbPool } from "./tlb-pool.ts";

/** The words of a space from its ASID to its block filter. */
const SPACE_WORDS = (TlbSpace.BlockFilter - TlbSpace.Asid) / 4;
/** The words of a space that a core with EL2 has for its controls. */
const CONTROL_WORDS = TlbSpace.ControlsSize / 4;
const FILTER_WORDS = BLOCK_FILTER_BITS / 32;
/** In a run's first word: its length less one, and its flags. */
const LENGTH_SHIFT = 13, FLAGS_SHIFT = 24, LENGTH_MAX = 1 << FLAGS_SHIFT - LENGTH_SHIFT;
/** Flags that entries have in a state; others follow from where they are. */
const KEPT_FLAGS = TlbFlags.NonGlobal | TlbFlags.Aligned | TlbFlags.Block | TlbFlags.Giant | TlbFlags.Suspect | TlbFlags.Device;

/** The rights in stage 2 that a read, a write or an instruction in a TLB needs. */
const Needed = {
  Read: Stage2Flags.Read,
  Write: Stage2Flags.Read | Stage2Flags.Write,
  FetchEl0: Stage2Flags.ExecuteEl0,
  FetchEl1: Stage2Flags.ExecuteEl1,
} as const;

/** Whether stage 2 permits the page at a physical address. */
export type Permits = (pa: number, needed: number) => boolean;

/** The rights that tables of stage 2 give, where pages may be at several addresses. */
export function permitsOf(tables: Stage2Table | undefined): Permits {
  let flagsOf: Map<number, number> | undefined;
  const known = () => {
    const all = new Map<number, number>();
    for (const { pa, size, flags } of tables?.entries() ?? []) {
      for (let page = pa; page < pa + size; page += PAGE_SIZE) all.set(page, (all.get(page) ?? 0) | flags);
    }
    return all;
  };
  return (pa, needed) => (((flagsOf ??= known()).get(pa) ?? 0) & needed) === needed;
}

/** The pool of decoded pages. */
interface DecodedPlaces {
  /** Address of the decoded page of the code page at a Wasm address, 0 if there is none. */
  pageOf(wasmAddress: number): number;
  /** A fresh one. */
  allocate(wasmAddress: number): number;
  /** Whether each entry into a page is heard of: no fetch may hit then that has not missed. */
  readonly isWatched: boolean;
}

/** A vCPU whose TLB is put back, and what its stage 2 permits. */
interface Owner {
  readonly owner: object;
  readonly stage2: number;
  readonly permits: Permits;
}

/** Words that are written one after the other. */
class WordWriter {
  #words = new Uint32Array(1 << 12);
  #length = 0;

  add(word: number): void {
    if (this.#length === this.#words.length) {
      const more = new Uint32Array(2 * this.#length);
      more.set(this.#words);
      this.#words = more;
    }
    this.#words[this.#length++] = word;
  }

  /** The place of a number that is known later. */
  reserve(): number {
    this.add(0);
    return this.#length - 1;
  }

  set(at: number, word: number): void {
    this.#words[at] = word;
  }

  get bytes(): Uint8Array {
    return new Uint8Array(this.#words.slice(0, this.#length).buffer);
  }
}

/** Words that are read one after the other; zeros beyond their end. */
class WordReader {
  readonly #words: Uint32Array;
  #at = 0;
  isShort: boolean;

  constructor(bytes: Uint8Array) {
    this.isShort = bytes.length % 4 !== 0;
    this.#words = new Uint32Array(new Uint8Array(bytes.subarray(0, bytes.length - bytes.length % 4)).buffer);
  }

  next(): number {
    if (this.#at === this.#words.length) this.isShort = true;
    return this.isShort ? 0 : this.#words[this.#at++];
  }

  get isAtEnd(): boolean {
    return !this.isShort && this.#at === this.#words.length;
  }
}

/** Why an image cannot be put back. */
class ImageDefect extends Error {}

export class TlbImages {
  readonly #words: Int32Array;
  readonly #bytes: Uint8Array;
  /** From a place in the Wasm memory to its physical address, in the form of a value. */
  readonly #distance: number;

  constructor(
    memory: WebAssembly.Memory,
    readonly ram: RamLayout,
    readonly pool: TlbPool,
    readonly decoded: DecodedPlaces,
    readonly hasEl2: boolean,
  ) {
    this.#words = new Int32Array(memory.buffer);
    this.#bytes = new Uint8Array(memory.buffer);
    this.#distance = (ram.base - ram.wasmAddress) >> DataEntry.DistanceShift;
  }

  /** The TLBs of these owners, the one that was used last at the end. */
  take(owners: readonly (object | undefined)[]): Uint8Array {
    const to = new WordWriter(), count = to.reserve();
    let tlbs = 0;
    for (const { owner, space } of this.pool.owned()) {
      const index = owners.indexOf(owner);
      if (index < 0) continue;
      tlbs++;
      to.add(index);
      this.#takeSpace(to, space);
    }
    to.set(count, tlbs);
    this.#takeTables(to);
    return to.bytes;
  }

  #takeSpace(to: WordWriter, space: number): void {
    const words = this.#words, filter = space + TlbSpace.BlockFilter >>> 2;
    for (const at of this.#wordsOf(space)) to.add(words[at]);
    const count = to.reserve();
    let parts = 0;
    for (let at = 0; at < FILTER_WORDS; at++) {
      if (!words[filter + at]) continue;
      parts++;
      to.add(at);
      to.add(words[filter + at]);
    }
    to.set(count, parts);
    for (let regime = 0; regime < REGIMES; regime++) {
      const set = space + regime * TlbSet.Size;
      this.#takeFetches(to, set);
      this.#takeRuns(to, set + TlbSet.Read, set + TlbSet.ReadFlags);
      this.#takeRuns(to, set + TlbSet.Write, set + TlbSet.WriteFlags);
    }
  }

  /** Indexes of the words of a space that are kept as they are. */
  *#wordsOf(space: number): Generator<number> {
    for (let at = 0; at < SPACE_WORDS; at++) yield (space + TlbSpace.Asid >>> 2) + at;
    if (this.hasEl2) { for (let at = 0; at < CONTROL_WORDS; at++) yield (space + TlbSpace.Level >>> 2) + at; }
  }

  #takeFetches(to: WordWriter, set: number): void {
    const words = this.#words, count = to.reserve(), first = set + TlbSet.Fetch >>> 2;
    let entries = 0;
    for (let at = first; at < first + TlbSet.FetchEntries * FetchEntry.Size / 4; at += FetchEntry.Size / 4) {
      if (words[at] & PAGE_SIZE - 1) continue;
      entries++;
      const index = Math.floor((words[at + FetchEntry.Decoded / 4] - DECODED_PAGES.base) / DECODED_PAGE_SIZE);
      to.add(words[at] | words[at + FetchEntry.Flags / 4] & KEPT_FLAGS);
      to.add(words[at + 1]);
      to.add((words[DECODED_OWNERS / 4 + index] >>> 0) - this.ram.wasmAddress + this.ram.base);
    }
    to.set(count, entries);
  }

  #takeRuns(to: WordWriter, table: number, flagsOf: number): void {
    const words = this.#words, bytes = this.#bytes, first = table >>> 2, distance = this.#distance, count = to.reserve();
    let runs = 0, begin = 0, end = -1, low = 0, high = 0, flags = 0;
    const add = () => {
      runs++;
      to.add(begin | end - begin - 1 << LENGTH_SHIFT | flags << FLAGS_SHIFT);
      to.add(low & ~DISTANCE_MASK | low + distance & DISTANCE_MASK);
      to.add(high);
    };
    for (let at = 0; at < TlbSet.Entries; at++) {
      // Most are empty: this needs no flags.
      if (words[first + 2 * at] === (at < TlbSet.Entries / 2 ? -1 : 0)) continue;
      const flag = bytes[flagsOf + at], value = flag & TlbFlags.Slow ? words[first + 2 * at] ^ DISABLING_BIT : words[first + 2 * at];
      if ((value >>> 24 & 1) !== at >>> 12) continue;
      const kept = flag & KEPT_FLAGS;
      if (at === end && value === low && words[first + 2 * at + 1] === high && kept === flags && end - begin < LENGTH_MAX) end++;
      else {
        if (end >= 0) add();
        [begin, end, low, high, flags] = [at, at + 1, value, words[first + 2 * at + 1], kept];
      }
    }
    if (end >= 0) add();
    to.set(count, runs);
  }

  #takeTables(to: WordWriter): void {
    const { base, size, wasmAddress } = this.ram, count = to.reserve();
    let pages = 0;
    for (let byte = wasmAddress >>> PAGE_SHIFT + 3; byte <= wasmAddress + size - 1 >>> PAGE_SHIFT + 3; byte++) {
      const bits = this.#bytes[TABLE_PAGES + byte];
      for (let bit = 0; bits >>> bit; bit++) {
        if (!(bits >>> bit & 1)) continue;
        pages++;
        to.add((byte * 8 + bit) * PAGE_SIZE - wasmAddress + base);
      }
    }
    to.set(count, pages);
  }

  /**
   * Puts the content back into TLBs that are empty. Entries for writes take the slow path once,
   * which notes their pages.
   * @returns the defect of an image that cannot be put back
   */
  put(image: Uint8Array, owners: readonly Owner[]): string | undefined {
    const from = new WordReader(image);
    try {
      for (let tlbs = from.next(); tlbs > 0 && !from.isShort; tlbs--) {
        const one = owners[from.next()];
        if (!one) throw new ImageDefect("a TLB belongs to no vCPU");
        this.#putSpace(from, this.pool.acquire(one.owner, one.stage2), one.permits);
      }
      for (let pages = from.next(); pages > 0 && !from.isShort; pages--) {
        setPageBits(this.#bytes, TABLE_PAGES, this.#placeOf(from.next()), PAGE_SIZE);
      }
      if (!from.isAtEnd) throw new ImageDefect("the TLBs have another size");
      return undefined;
    } catch (error) {
      if (error instanceof ImageDefect) return error.message;
      throw error;
    }
  }

  #putSpace(from: WordReader, space: number, permits: Permits): void {
    const words = this.#words;
    for (const at of this.#wordsOf(space)) words[at] = from.next();
    for (let parts = from.next(); parts > 0 && !from.isShort; parts--) {
      words[(space + TlbSpace.BlockFilter >>> 2) + from.next() % FILTER_WORDS] = from.next();
    }
    for (let regime = 0; regime < REGIMES; regime++) {
      const set = space + regime * TlbSet.Size;
      this.#putFetches(from, space, set, (pa) => permits(pa, regime === Regime.El0 ? Needed.FetchEl0 : Needed.FetchEl1));
      this.#putRuns(from, space, { set, table: "Read", kind: ListKind.Read + regime, permits: (pa) => permits(pa, Needed.Read) });
      this.#putRuns(from, space, { set, table: "Write", kind: ListKind.Write + regime, permits: (pa) => permits(pa, Needed.Write) });
    }
  }

  #putFetches(from: WordReader, space: number, set: number, permits: (pa: number) => boolean): void {
    const words = this.#words;
    for (let entries = from.next(), last = -1; entries > 0 && !from.isShort; entries--) {
      const low = from.next(), high = from.next(), pa = from.next(), index = low >>> PAGE_SHIFT & TlbSet.FetchEntries - 1;
      last = following(index, last);
      const at = set + TlbSet.Fetch + index * FetchEntry.Size, flags = low & KEPT_FLAGS;
      const wasmAddress = this.#permitted(pa, permits);
      if (this.decoded.isWatched) continue;
      words[at >>> 2] = low & -PAGE_SIZE;
      words[(at >>> 2) + 1] = high;
      words[at + FetchEntry.Decoded >>> 2] = this.decoded.pageOf(wasmAddress) || this.decoded.allocate(wasmAddress);
      words[at + FetchEntry.Flags >>> 2] = flags | this.#listed(space, at | ListKind.Fetch, flags);
    }
  }

  #putRuns(
    from: WordReader,
    space: number,
    { set, table, kind, permits }: {
      readonly set: number;
      readonly table: "Read" | "Write";
      readonly kind: number;
      readonly permits: (pa: number) => boolean;
    },
  ): void {
    const words = this.#words;
    for (let runs = from.next(), last = -1; runs > 0 && !from.isShort; runs--) {
      const run = from.next(), value = from.next(), high = from.next(), begin = run & TlbSet.Entries - 1;
      const end = begin + (run >>> LENGTH_SHIFT & LENGTH_MAX - 1) + 1, flags = run >>> FLAGS_SHIFT & KEPT_FLAGS;
      last = following(begin, last, end);
      const isSlow = table === "Write" || (flags & TlbFlags.Suspect) !== 0;
      for (let index = begin; index < end; index++) {
        const pa = (value & ~DISTANCE_MASK & ~DISABLING_BIT | index << PAGE_SHIFT) + (value << DataEntry.DistanceShift) >>> 0;
        const wasmAddress = this.#permitted(pa, permits), at = set + TlbSet[table] + index * DataEntry.Size;
        const low = value & ~DISTANCE_MASK & ~DISABLING_BIT | index >>> 12 << 24 | value - this.#distance & DISTANCE_MASK;
        words[at >>> 2] = isSlow ? low ^ DISABLING_BIT : low;
        words[(at >>> 2) + 1] = high;
        this.#bytes[set + TlbSet[`${table}Flags`] + index] = flags | this.#listed(space, at | kind, flags) | (isSlow ? TlbFlags.Slow : 0);
        if (table === "Write") setPageBits(this.#bytes, this.pool.layout.writeMapped, wasmAddress, PAGE_SIZE);
      }
    }
  }

  /** Puts an entry on the list of its space if it is not global; the flag of one that is not. */
  #listed(space: number, item: number, flags: number): number {
    if (!(flags & TlbFlags.NonGlobal)) return TlbFlags.Unlisted;
    const length = this.#words[space + TlbSpace.ListLength >>> 2]++;
    this.#words[(space + TlbSpace.List >>> 2) + length] = item;
    return 0;
  }

  /** The place in the Wasm memory of a page that a TLB may lead to. */
  #permitted(pa: number, permits: (pa: number) => boolean): number {
    const wasmAddress = this.#placeOf(pa);
    if (!permits(pa)) throw new ImageDefect(`a TLB leads to 0x${pa.toString(16)}, which its VM must not access so`);
    return wasmAddress;
  }

  #placeOf(pa: number): number {
    const { base, size, wasmAddress } = this.ram;
    if (pa % PAGE_SIZE || pa < base || pa >= base + size) {
      throw new ImageDefect(`a TLB leads to 0x${pa.toString(16)}, which is not a page of RAM`);
    }
    return pa - base + wasmAddress;
  }
}

/** The last entry up to `end`, which come after the last one. */
function following(index: number, last: number, end: number = index + 1): number {
  if (index <= last || end > TlbSet.Entries) throw new ImageDefect("entries of a TLB are not in order");
  return end - 1;
}
