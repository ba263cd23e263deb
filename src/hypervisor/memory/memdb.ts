// The memory ownership database: every page of physical memory has exactly one owner, or none if
// memory is missing (docs/spec/hypervisor.md §8.6). A page belongs to a partition, to a partition's
// heap, or to the deepest extent that claimed it.

import { asPa, type Pa } from "../../abi/numbers.ts";
import type { Archive } from "../../machine/archive.ts";
import { PHYSICAL_END } from "../../machine/memory-map.ts";
import { PAGE_SHIFT, PAGE_SIZE } from "../../support/sizes.ts";

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

/**
 * The database. Addresses and sizes are multiples of the page size; ranges beyond the physical
 * addresses own nothing.
 */
export class MemoryDatabase {
  /** Serial of the owner of each page; 0 for none. */
  readonly #owners = new Uint32Array(PHYSICAL_END / PAGE_SIZE);
  readonly #bySerial = new Map<number, MemoryOwner>();
  /** Answer of `all` since the last change. Screens ask every second; memory rarely moves. */
  #runs: readonly OwnedRun[] | undefined;

  /** Enters memory without an owner, when the platform starts. */
  insert(owner: MemoryOwner, pa: Pa, size: number): void {
    // Every machine starts with this: V8 searches and fills a range 20 times as fast as a loop that
    // it has not compiled yet.
    const range = this.#owners.subarray(pa / PAGE_SIZE, (pa + size) / PAGE_SIZE);
    for (const [serial, { name }] of this.#bySerial) {
      if (range.includes(serial)) throw new Error(`a page of 0x${pa.toString(16)} to 0x${(pa + size).toString(16)} belongs to ${name}`);
    }
    this.#runs = undefined;
    range.fill(owner.serial);
    this.#bySerial.set(owner.serial, owner);
  }

  /** The owner of the page at `pa`. */
  ownerOf(pa: Pa): MemoryOwner | undefined {
    return this.#bySerial.get(this.#owners[Math.floor(pa / PAGE_SIZE)]);
  }

  /** Whether `owner` owns every page of the range. */
  owns(owner: MemoryOwner, pa: Pa, size: number): boolean {
    if (pa + size > PHYSICAL_END) return false;
    const end = (pa + size) >>> PAGE_SHIFT || PHYSICAL_END / PAGE_SIZE;
    for (let page = pa >>> PAGE_SHIFT; page < end; page++) if (this.#owners[page] !== owner.serial) return false;
    return true;
  }

  /** How many bytes from `pa` on `owner` owns, at most `size`. */
  ownedBytes(owner: MemoryOwner, pa: Pa, size: number): number {
    const first = pa / PAGE_SIZE, end = Math.min(pa + size, PHYSICAL_END) / PAGE_SIZE;
    let page = first;
    while (page < end && this.#owners[page] === owner.serial) page++;
    return (page - first) * PAGE_SIZE;
  }

  /**
   * Moves a whole range from one owner to another; false, and nothing moves, unless `from` owns all
   * of it.
   */
  transfer(from: MemoryOwner, to: MemoryOwner, pa: Pa, size: number): boolean {
    if (!this.owns(from, pa, size)) return false;
    this.#runs = undefined;
    this.#bySerial.set(to.serial, to);
    this.#owners.fill(to.serial, pa / PAGE_SIZE, (pa + size) / PAGE_SIZE);
    return true;
  }

  /** The runs of pages in the range that `owner` owns, from low to high. */
  *runs(owner: MemoryOwner, pa: Pa, size: number): Generator<PageRun> {
    const end = Math.min(pa + size, PHYSICAL_END) / PAGE_SIZE;
    // Most ranges are all memory and most owners own little of it: V8 searches much faster than a
    // loop.
    const owners = this.#owners.subarray(0, end);
    for (let page = pa / PAGE_SIZE;;) {
      const first = owners.indexOf(owner.serial, page);
      if (first < 0) return;
      page = first + 1;
      while (page < end && owners[page] === owner.serial) page++;
      yield { pa: asPa(first * PAGE_SIZE), size: (page - first) * PAGE_SIZE };
    }
  }

  /** The ownership, saved or loaded. `owner` finds an owner by its serial. */
  archive(archive: Archive, owner: (serial: number) => MemoryOwner | undefined): void {
    const runs = archive.list("runs", this.all(), (run) => ({
      pa: archive.integer("page", run && run.pa / PAGE_SIZE, 0, this.#owners.length - 1) * PAGE_SIZE,
      size: archive.integer("pages", run && run.size / PAGE_SIZE, 1, this.#owners.length) * PAGE_SIZE,
      owner: archive.integer("owner", run?.owner.serial, 1),
    }));
    const known = archive.list("owners", this.#bySerial.keys(), (serial) => archive.integer("serial", serial, 1));
    if (!archive.loading) return;
    this.#runs = undefined;
    this.#owners.fill(0);
    this.#bySerial.clear();
    for (const serial of known) {
      this.#bySerial.set(serial, owner(serial) ?? archive.fail(`object ${serial}, which owns memory, does not exist`));
    }
    archive.check(this.#bySerial.size === known.length, "an owner is listed once");
    let end = 0, before: number | undefined;
    for (const { pa, size, owner } of runs) {
      archive.check(pa > end || pa === end && owner !== before, "a run of pages is as long as it can be");
      archive.check(pa + size <= PHYSICAL_END && this.#bySerial.has(owner), "runs of pages are in memory, and have owners");
      this.#owners.fill(owner, pa / PAGE_SIZE, (pa + size) / PAGE_SIZE);
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
  all(): readonly OwnedRun[] {
    return this.#runs ??= [...this.#readAll()];
  }

  *#readAll(): Generator<OwnedRun> {
    for (let page = 0; page < this.#owners.length;) {
      const serial = this.#owners[page];
      const first = page;
      while (page < this.#owners.length && this.#owners[page] === serial) page++;
      if (serial === 0) continue;
      const owner = this.#bySerial.get(serial);
      if (!owner) throw new Error(`pages from 0x${(first * PAGE_SIZE).toString(16)} belong to a forgotten owner ${serial}`);
      yield { pa: asPa(first * PAGE_SIZE), size: (page - first) * PAGE_SIZE, owner };
    }
  }
}
