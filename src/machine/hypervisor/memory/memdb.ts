// The memory ownership database: every page of physical memory has exactly one owner, or none if
// memory is missing (docs/spec/hypervisor.md §8.6). A page belongs to a partition, to a partition's
// heap, or to the deepest extent that claimed it.

import { asPa, type Pa } from "../../abi/numbers.ts";
import type { Archive } from "../../hardware/archive.ts";
import { PHYSICAL_END } from "../../hardware/memory-map.ts";
import { PAGE_SIZE } from "../../../kit/support/values/sizes.ts";

/** An owner of pages. */
export interface MemoryOwner {
  /** Not zero; unique among owners. */
  readonly serial: number;
  readonly name: string;
}

/** A run of pages: physical address and size in bytes. */
export interface PageRun {
  readonly pa: Pa;
  readonly size: number;
}

/** One of all owned pages. */
interface OwnedRun extends PageRun {
  readonly owner: MemoryOwner;
}

/** Number of pages. */
const PAGES = PHYSICAL_END / PAGE_SIZE;
/** Serial of pages without an owner. */
const NOBODY = 0;

/**
 * The database. Addresses and sizes are multiples of the page size; ranges beyond the physical
 * addresses own nothing.
 */
export class MemoryDatabase {
  /** The first page of each run of pages with the same owner, or with none, from 0 on. */
  #starts = [0];
  /** The owner's serial of each run; those of adjacent runs differ. */
  #serials = [NOBODY];
  readonly #bySerial = new Map<number, MemoryOwner>();

  /** Enters memory without an owner, when the platform starts. */
  insert(owner: MemoryOwner, pa: Pa, size: number): void {
    const first = pa / PAGE_SIZE, end = Math.min(pa + size, PHYSICAL_END) / PAGE_SIZE;
    for (let run = this.#runAt(first); first < end && run < this.#starts.length && this.#starts[run] < end; run++) {
      const owned = this.#bySerial.get(this.#serials[run]);
      if (owned) throw new Error(`a page of 0x${pa.toString(16)} to 0x${(pa + size).toString(16)} belongs to ${owned.name}`);
    }
    this.#give(owner, first, end);
  }

  /** The owner of the page at `pa`. */
  ownerOf(pa: Pa): MemoryOwner | undefined {
    return pa < PHYSICAL_END ? this.#bySerial.get(this.#serials[this.#runAt(Math.floor(pa / PAGE_SIZE))]) : undefined;
  }

  /** Whether `owner` owns every page of the range. */
  owns(owner: MemoryOwner, pa: Pa, size: number): boolean {
    return pa + size <= PHYSICAL_END && this.ownedBytes(owner, pa, size) === size;
  }

  /** How many bytes from `pa` on `owner` owns, at most `size`. */
  ownedBytes(owner: MemoryOwner, pa: Pa, size: number): number {
    const first = pa / PAGE_SIZE;
    if (first >= PAGES) return 0;
    const run = this.#runAt(first);
    return this.#serials[run] === owner.serial ? Math.min(size, (this.#endOf(run) - first) * PAGE_SIZE) : 0;
  }

  /**
   * Moves a whole range from one owner to another; false, and nothing moves, unless `from` owns all
   * of it.
   */
  transfer(from: MemoryOwner, to: MemoryOwner, pa: Pa, size: number): boolean {
    if (!this.owns(from, pa, size)) return false;
    this.#give(to, pa / PAGE_SIZE, (pa + size) / PAGE_SIZE);
    return true;
  }

  /** The runs of pages in the range that `owner` owns, from low to high. */
  *runs(owner: MemoryOwner, pa: Pa, size: number): Generator<PageRun> {
    const end = Math.min(pa + size, PHYSICAL_END) / PAGE_SIZE;
    for (let page = pa / PAGE_SIZE; page < end;) {
      // Looked up each time: whoever takes a run may move it before the next one.
      const run = this.#runAt(page), last = Math.min(this.#endOf(run), end);
      if (this.#serials[run] === owner.serial) yield { pa: asPa(page * PAGE_SIZE), size: (last - page) * PAGE_SIZE };
      page = last;
    }
  }

  /** The ownership, saved or loaded. `owner` finds an owner by its serial. */
  archive(archive: Archive, owner: (serial: number) => MemoryOwner | undefined): void {
    const runs = archive.list("runs", this.all(), (run) => ({
      pa: archive.integer("page", run && run.pa / PAGE_SIZE, 0, PAGES - 1) * PAGE_SIZE,
      size: archive.integer("pages", run && run.size / PAGE_SIZE, 1, PAGES) * PAGE_SIZE,
      owner: archive.integer("owner", run?.owner.serial, 1),
    }));
    const known = archive.list("owners", this.#bySerial.keys(), (serial) => archive.integer("serial", serial, 1));
    if (!archive.loading) return;
    this.#starts = [0];
    this.#serials = [NOBODY];
    this.#bySerial.clear();
    for (const serial of known) {
      this.#bySerial.set(serial, owner(serial) ?? archive.fail(`object ${serial}, which owns memory, does not exist`));
    }
    archive.check(this.#bySerial.size === known.length, "an owner is listed once");
    let end = 0, before: number | undefined;
    for (const { pa, size, owner } of runs) {
      const known = this.#bySerial.get(owner);
      archive.check(pa > end || pa === end && owner !== before, "a run of pages is as long as it can be");
      if (!known || pa + size > PHYSICAL_END) archive.fail("runs of pages are in memory, and have owners");
      this.#give(known, pa / PAGE_SIZE, (pa + size) / PAGE_SIZE);
      end = pa + size;
      before = owner;
    }
  }

  /** Forgets an owner that owns nothing any more. */
  forget(owner: MemoryOwner): void {
    this.#bySerial.delete(owner.serial);
  }

  /**
   * All owned pages as runs with their owner, from low to high. For display and for the invariant
   * checker.
   */
  *all(): Generator<OwnedRun> {
    for (const [run, serial] of this.#serials.entries()) {
      if (serial === NOBODY) continue;
      const first = this.#starts[run], owner = this.#bySerial.get(serial);
      if (!owner) throw new Error(`pages from 0x${(first * PAGE_SIZE).toString(16)} belong to a forgotten owner ${serial}`);
      yield { pa: asPa(first * PAGE_SIZE), size: (this.#endOf(run) - first) * PAGE_SIZE, owner };
    }
  }

  #runAt(page: number): number {
    let low = 0, high = this.#starts.length;
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      if (this.#starts[middle] <= page) low = middle;
      else high = middle;
    }
    return low;
  }

  /** The page behind a run. */
  #endOf(run: number): number {
    return run + 1 < this.#starts.length ? this.#starts[run + 1] : PAGES;
  }

  /** Makes one run, or a part of one, of the pages from `first` to before `end`. */
  #give(owner: MemoryOwner, first: number, end: number): void {
    this.#bySerial.set(owner.serial, owner);
    if (first >= end) return;
    const { serial } = owner, starts = this.#starts, serials = this.#serials;
    let from = this.#runAt(first), to = this.#runAt(end - 1);
    // Runs of the same owner on both sides become one with it.
    if (starts[from] === first && serials[from - 1] === serial) from--;
    if (this.#endOf(to) === end && serials[to + 1] === serial) to++;
    if (serials[from] === serial) first = starts[from];
    if (serials[to] === serial) end = this.#endOf(to);
    // Runs of others keep the pages that lie outside.
    const begins = [first], owners = [serial];
    if (starts[from] < first) {
      begins.unshift(starts[from]);
      owners.unshift(serials[from]);
    }
    if (this.#endOf(to) > end) {
      begins.push(end);
      owners.push(serials[to]);
    }
    starts.splice(from, to + 1 - from, ...begins);
    serials.splice(from, to + 1 - from, ...owners);
  }
}
