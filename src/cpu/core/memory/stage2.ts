// Stage-2 tables in the form that the core walks inside Wasm: two levels of 32-bit entries in the
// Wasm memory. docs/design/decisions.md §8; the architecture's own stage-2 format (Arm ARM D5.2) is
// not visible to any guest, so it is not used.
//
//     IPA  35       24 23        12 11        0
//          | level 1  |  level 2   |  offset  |
//
// A table has 4096 entries (16 KiB). A level-1 entry is empty, a block of 16 MiB, or the address of
// a level-2 table. The level-1 table of a space of 40 bits is 16 tables in a row.

import { type MappedRun, Stage2Flags, type Stage2Table } from "./stage2-table.ts";
import { PAGE_SIZE } from "../../../kit/support/values/sizes.ts";

/**
 * Bits of an entry below the address in 31:12; bits 4:0 are `Stage2Flags`. Shared with the walk in
 * `mmu.ts`.
 */
export const Stage2Entry = {
  Flags: 0x1f,
  Valid: 0x20,
  /** Level 1 only: the address is that of a level-2 table. */
  Table: 0x800,
  AddressMask: 0xfffff000,
} as const;

/** Widths of IPAs in bits. */
export const IPA_BITS = 36;
export const WIDE_IPA_BITS = 40;
export type IpaBits = typeof IPA_BITS | typeof WIDE_IPA_BITS;

/** Flag in the address of a level-1 table: IPAs have 40 bits. */
export const WIDE_ROOT = 1;

/** Tables in the level-1 table of a space. */
export function rootTables(bits: IpaBits): number {
  return 2 ** (bits - IPA_BITS);
}

/** Bytes of a table, and their alignment. */
export const STAGE2_TABLE_SIZE = 0x4000;

const BLOCK = 0x100_0000;
const ENTRIES = 4096;
const ALL_FLAGS = Stage2Flags.Read | Stage2Flags.Write | Stage2Flags.ExecuteEl1 | Stage2Flags.ExecuteEl0 | Stage2Flags.Device;

/** The tables of all address spaces: a region of the Wasm memory cut into tables. */
export class Stage2Pool {
  readonly #words: Uint32Array;
  #free: number[] = [];
  readonly #roots = new Map<number, number>();
  readonly #tables = new Map<number, Stage2>();
  readonly #empty: number;
  #lastId = 0;

  /**
   * @param base first address in `memory`, a multiple of 16 KiB; `size` in bytes, as many tables as
   * fit.
   */
  constructor(memory: WebAssembly.Memory, readonly base: number, size: number) {
    if (base % STAGE2_TABLE_SIZE) throw new RangeError("stage-2 tables start at a multiple of 16 KiB");
    this.#words = new Uint32Array(memory.buffer, 0, (base + size) >>> 2);
    for (let at = base + (Math.floor(size / STAGE2_TABLE_SIZE) - 1) * STAGE2_TABLE_SIZE; at >= base; at -= STAGE2_TABLE_SIZE) {
      this.#free.push(at);
    }
    this.#empty = this.#free.pop()!;
  }

  /**
   * Address of the level-1 table of address space `id`, with `WIDE_ROOT`; that of an empty table
   * when it does not exist (any more).
   */
  root(id: number): number {
    return this.#roots.get(id) ?? this.#empty;
  }

  /** The tables of address space `id`, while they are in use. */
  tables(id: number): Stage2 | undefined {
    return this.#tables.get(id);
  }

  /** Tables that are not in use. */
  get available(): number {
    return this.#free.length;
  }

  /** The tables of a new, empty address space; undefined when the pool is exhausted. */
  create(bits: IpaBits = IPA_BITS): Stage2 | undefined {
    const root = bits === IPA_BITS ? this.allocate() : this.#takeRow(rootTables(bits));
    if (root === undefined) return undefined;
    const tables = new Stage2(this, this.#words, ++this.#lastId, root, bits);
    this.#roots.set(tables.id, bits === IPA_BITS ? root : root | WIDE_ROOT);
    this.#tables.set(tables.id, tables);
    return tables;
  }

  /** An empty table's address. For `Stage2`. */
  allocate(): number | undefined {
    const table = this.#free.pop();
    if (table !== undefined) this.#words.fill(0, table >>> 2, (table >>> 2) + ENTRIES);
    return table;
  }

  /** The lowest empty tables that lie in a row. */
  #takeRow(count: number): number | undefined {
    const sorted = this.#free.toSorted((a, b) => a - b);
    const first = sorted.findIndex((table, index) => sorted[index + count - 1] === table + (count - 1) * STAGE2_TABLE_SIZE);
    if (first < 0) return undefined;
    const row = sorted[first];
    this.#free = this.#free.filter((table) => table < row || table >= row + count * STAGE2_TABLE_SIZE);
    this.#words.fill(0, row >>> 2, (row >>> 2) + count * ENTRIES);
    return row;
  }

  /** Gives a table back. For `Stage2`. */
  give(table: number): void {
    this.#free.push(table);
  }

  /** `root` of the address space that had this id is the empty table from now on. For `Stage2`. */
  forget(id: number): void {
    this.#roots.delete(id);
    this.#tables.delete(id);
  }
}

/** Physical addresses in a row. */
interface PaRun {
  readonly pa: number;
  readonly size: number;
}

/** A run of mappings while it is found. */
type Run = { -readonly [Name in keyof MappedRun]: MappedRun[Name] };

/** Runs that are recorded separately before `Stage2.takeLost` reports too many. */
const LOST_RUNS = 4;

/** The stage-2 tables of one address space. */
export class Stage2 implements Stage2Table {
  #released = false;
  /** Pages that are no longer mapped as they were, since `takeLost`. */
  #lost: { pa: number; size: number }[] = [];
  /** The first IPA beyond the tables. */
  readonly #end: number;

  /** Made by `Stage2Pool.create`. `root` is the address of the level-1 table in the Wasm memory. */
  constructor(
    readonly pool: Stage2Pool,
    readonly words: Uint32Array,
    readonly id: number,
    readonly root: number,
    readonly bits: IpaBits,
  ) {
    this.#end = 2 ** bits;
  }

  /** False, and nothing changed, when the pool has too few tables for it. */
  map(ipa: number, pa: number, size: number, flags: number): boolean {
    if (pa % PAGE_SIZE || pa + size > 2 ** 32 || flags & ~ALL_FLAGS) {
      throw new RangeError(`stage-2 map of PA 0x${pa.toString(16)}, flags ${flags}`);
    }
    return this.#change(ipa, size, pa, flags | Stage2Entry.Valid);
  }

  /** False, and nothing changed, when the pool has too few tables to split a block for it. */
  unmap(ipa: number, size: number): boolean {
    return this.#change(ipa, size, 0, 0);
  }

  /**
   * Pages that have been remapped or unmapped since the last call: cached translations to there
   * go. Undefined if that was in many places.
   */
  takeLost(): readonly PaRun[] | undefined {
    const lost = this.#lost;
    this.#lost = [];
    return lost.length > LOST_RUNS ? undefined : lost;
  }

  lookup(ipa: number): { pa: number; flags: number } | undefined {
    if (ipa < 0 || ipa >= this.#end) return undefined;
    let entry = this.words[this.#level1(ipa)];
    let offset = ipa % BLOCK - ipa % PAGE_SIZE;
    if (entry & Stage2Entry.Table) {
      entry = this.words[this.#level2(entry, ipa)];
      offset = 0;
    }
    if (!(entry & Stage2Entry.Valid)) return undefined;
    return { pa: ((entry & Stage2Entry.AddressMask) >>> 0) + offset, flags: entry & Stage2Entry.Flags };
  }

  entries(): MappedRun[] {
    const { words } = this, runs: Run[] = [], root = this.root >>> 2;
    let last: Run | undefined;
    /** Adds so many entries, whose addresses follow each other as those of what they map do. */
    const add = (entry: number, ipa: number, size: number) => {
      const pa = (entry & Stage2Entry.AddressMask) >>> 0, flags = entry & Stage2Entry.Flags;
      const continues = last && ipa === last.ipa + last.size && pa === last.pa + last.size && flags === last.flags;
      if (last && continues) last.size += size;
      else runs.push(last = { ipa, pa, size, flags });
    };
    for (let index = 0; index < this.#rootEntries; index++) {
      const entry = words[root + index], table = (entry & Stage2Entry.AddressMask) >>> 2;
      if (!(entry & Stage2Entry.Table)) {
        if (entry & Stage2Entry.Valid) add(entry, index * BLOCK, BLOCK);
        continue;
      }
      for (let page = 0; page < ENTRIES; page++) {
        const first = page, mapped = words[table + page];
        if (!(mapped & Stage2Entry.Valid)) continue;
        while (page + 1 < ENTRIES && words[table + page + 1] === (mapped + (page + 1 - first) * PAGE_SIZE) >>> 0) page++;
        add(mapped, index * BLOCK + first * PAGE_SIZE, (page + 1 - first) * PAGE_SIZE);
      }
    }
    return runs;
  }

  release(): void {
    if (this.#released) throw new Error(`stage-2 tables ${this.id} are released already`);
    this.#released = true;
    for (let i = 0; i < this.#rootEntries; i++) {
      const entry = this.words[(this.root >>> 2) + i];
      if (entry & Stage2Entry.Table) this.pool.give((entry & Stage2Entry.AddressMask) >>> 0);
    }
    for (let table = rootTables(this.bits) - 1; table >= 0; table--) this.pool.give(this.root + table * STAGE2_TABLE_SIZE);
    this.pool.forget(this.id);
  }

  /** Writes `bits` (0 to unmap) to every page of the range; PAs go up from `pa` when mapping. */
  #change(ipa: number, size: number, pa: number, bits: number): boolean {
    if (ipa % PAGE_SIZE || size % PAGE_SIZE || ipa < 0 || size < 0 || ipa + size > this.#end) {
      throw new RangeError(`stage-2 range 0x${ipa.toString(16)} + 0x${size.toString(16)}`);
    }
    if (this.pool.available < this.#tablesNeeded(ipa, size, pa, bits)) return false;
    for (let done = 0; done < size;) {
      const at = ipa + done;
      const step = Math.min(BLOCK - at % BLOCK, size - done);
      const target = bits ? pa + done : 0;
      this.#noteLost(at, step, bits ? target | bits : 0);
      if (step === BLOCK && target % BLOCK === 0) this.#setBlock(at, target, bits);
      else this.#setPages(at, step, target, bits);
      done += step;
    }
    return true;
  }

  #tablesNeeded(ipa: number, size: number, pa: number, bits: number): number {
    let needed = 0;
    for (let done = 0; done < size;) {
      const at = ipa + done;
      const step = Math.min(BLOCK - at % BLOCK, size - done);
      const entry = this.words[this.#level1(at)];
      const whole = step === BLOCK && (!bits || (pa + done) % BLOCK === 0);
      if (!whole && !(entry & Stage2Entry.Table) && (bits || entry)) needed++;
      done += step;
    }
    return needed;
  }

  /**
   * Records the parts of a range inside a block whose mapping differs from what its first page's
   * entry will say.
   */
  #noteLost(ipa: number, size: number, entry: number): void {
    const level1 = this.words[this.#level1(ipa)];
    if (!level1) return;
    // A block is lost, or kept, in one piece.
    const step = level1 & Stage2Entry.Table ? PAGE_SIZE : size;
    for (let done = 0; done < size; done += step) {
      const old = level1 & Stage2Entry.Table ? this.words[this.#level2(level1, ipa + done)] : level1 + ipa % BLOCK >>> 0;
      if (!(old & Stage2Entry.Valid) || entry && old === (entry + done) >>> 0) continue;
      const pa = (old & Stage2Entry.AddressMask) >>> 0, last = this.#lost.at(-1);
      if (last && last.pa + last.size === pa) last.size += step;
      else if (this.#lost.length <= LOST_RUNS) this.#lost.push({ pa, size: step });
    }
  }

  #setBlock(ipa: number, pa: number, bits: number): void {
    const at = this.#level1(ipa);
    const old = this.words[at];
    this.words[at] = pa | bits;
    if (old & Stage2Entry.Table) this.pool.give((old & Stage2Entry.AddressMask) >>> 0);
  }

  #setPages(ipa: number, size: number, pa: number, bits: number): void {
    const at = this.#level1(ipa);
    const old = this.words[at];
    if (!old && !bits) return;
    if (!(old & Stage2Entry.Table)) {
      const table = this.pool.allocate()!;
      if (old) { for (let i = 0; i < ENTRIES; i++) this.words[(table >>> 2) + i] = old + i * PAGE_SIZE; }
      this.words[at] = table | Stage2Entry.Table;
    }
    const first = this.#level2(this.words[at], ipa);
    for (let i = 0; i < size / PAGE_SIZE; i++) this.words[first + i] = bits ? (pa + i * PAGE_SIZE) | bits : 0;
    if (!bits) this.#giveEmpty(at);
  }

  /** Returns a table without mappings to the pool. `at`: the index of its level-1 entry. */
  #giveEmpty(at: number): void {
    const table = (this.words[at] & Stage2Entry.AddressMask) >>> 0, first = table >>> 2;
    for (let i = 0; i < ENTRIES; i++) if (this.words[first + i]) return;
    this.words[at] = 0;
    this.pool.give(table);
  }

  get #rootEntries(): number {
    return rootTables(this.bits) * ENTRIES;
  }

  #level1(ipa: number): number {
    return (this.root >>> 2) + Math.floor(ipa / BLOCK);
  }

  #level2(entry: number, ipa: number): number {
    return ((entry & Stage2Entry.AddressMask) >>> 2) + Math.floor((ipa % BLOCK) / PAGE_SIZE);
  }
}
