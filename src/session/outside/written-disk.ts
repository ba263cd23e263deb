// A disk that guests write through to its file, and its past. Before a block changes for the first
// time since a state of the run was kept, its bytes are kept, so that a machine of the past reads
// the bytes of its time. Such a machine has its own writes in memory: the file is the present's.

import * as v from "valibot";
import { CLUSTER, type DiskContent } from "../../kit/formats/qcow2-writer.ts";
import { count, inForm, maybe } from "../../kit/support/values/forms.ts";
import { PAGE_SIZE } from "../../kit/support/values/sizes.ts";
import { type BlockBacking, OverlayBacking } from "../../machine/virtio/block/backing.ts";
import { UserError } from "../../kit/support/problem.ts";
import type { Page } from "../state/page-map.ts";
import { isZeroPage } from "../state/pages.ts";
import type { KeptOutside, OldBytes } from "../state/parts.ts";
import { BlockSet } from "./block-set.ts";
import type { OpenDisk } from "./computer.ts";
import { notSavable } from "./disk-file.ts";

const BLOCK = PAGE_SIZE, SECTOR = 512;
const blockOf = (offset: number) => Math.floor(offset / BLOCK);
/** Blocks that are read at a time. */
const RUN = 16;

/** A disk as it was at the start of a run, as far as that matters to the run. */
export type StartImage = DiskContent;

/** A place of the run: blocks that were written after it, as they were there. */
class DiskPoint {
  readonly pages = new Map<number, Page>();
  /** Blocks that were all zero. */
  readonly zeros = new BlockSet();
  /** The next place: what was written after that and not before is there. */
  next: DiskPoint | undefined;
  /** How many states, of the present and of machines of the past, have the disk as it was there. */
  states = 0;

  constructor(readonly number: number) {}

  has(block: number): boolean {
    return this.pages.has(block) || this.zeros.has(block);
  }

  /**
   * Takes over the blocks of the next place, which nobody goes back to any more. Returns how many
   * it had already.
   */
  absorb(next: DiskPoint): number {
    let known = 0;
    for (const [block, page] of next.pages) {
      if (this.has(block)) known++;
      else this.pages.set(block, page);
    }
    for (const block of next.zeros) if (!this.pages.has(block)) this.zeros.add(block);
    this.next = next.next;
    return known;
  }
}

/**
 * The state of a disk: the place of the run whose bytes it has, and the writes of a machine of the
 * past since then.
 */
const STATE = v.strictObject({ point: count, changes: maybe(v.unknown()) });

/** A disk of a machine that is in a state by reference to what this thread keeps. */
interface ReferredDisk extends BlockBacking {
  readonly path: string;
  /** The state that was saved last is kept: what it refers to has to be. */
  kept(): KeptOutside;
}

/** The disk of the present. */
export class WrittenDisk implements ReferredDisk {
  readonly readOnly = false;
  readonly savable = false;
  #old: OldBytes | undefined;
  /** Blocks written since the start of the run, and since the last place to go back to. */
  #start = new DiskPoint(0);
  #now = this.#start;
  readonly #points = new Map<number, WeakRef<DiskPoint>>();
  /** The last place, if nobody goes back to it any more: it goes when there is another one. */
  #over: DiskPoint | undefined;
  #last = 0;
  /** Blocks that the guest has read: a machine that repeats the run needs no others. */
  readonly #read = new BlockSet();
  /** Blocks with bytes that the guest has discarded, which are still there. */
  readonly #discarded = new BlockSet();
  #hasReadDiscarded = false;
  readonly #buffer = new Uint8Array(RUN * BLOCK);

  constructor(readonly path: string, readonly file: OpenDisk) {}

  get size(): number {
    return this.file.size;
  }

  /** From now on old bytes are kept there. */
  keepOld(old: OldBytes): void {
    this.#old = old;
  }

  /** There is no past any more. */
  forget(): void {
    this.#old = undefined;
    this.#start = this.#now = new DiskPoint(0);
    this.#points.clear();
    this.#over = undefined;
  }

  read(offset: number, into: Uint8Array): void {
    this.#tried(() => this.file.read(offset, into));
    if (this.#old) this.#noteRead(offset, into);
  }

  write(offset: number, from: Uint8Array): void {
    this.#change(offset, from.length, false, () => this.file.write(offset, from));
  }

  zero(offset: number, size: number): void {
    this.#change(offset, size, true, () => this.file.zero(offset, size));
  }

  /** A raw image keeps what is discarded. */
  discard(offset: number, size: number): void {
    if (this.file.discard) this.#change(offset, size, true, () => this.file.discard?.(offset, size));
    else if (this.#old) { for (let block = blockOf(offset); block * BLOCK < offset + size; block++) this.#discarded.add(block); }
  }

  /** Whether a machine of the past reads zeros where it has discarded bytes. */
  get discardsToZero(): boolean {
    return this.file.discard !== undefined;
  }

  flush(): void {
    this.file.flush();
  }

  close(): void {
    this.file.close();
  }

  save(): v.InferOutput<typeof STATE> {
    if (!this.#old) throw notSavable(this.path);
    return { point: this.#last + 1, changes: undefined };
  }

  kept(): KeptOutside {
    const point = new DiskPoint(++this.#last);
    this.#now.next = point;
    this.#now = point;
    const over = this.#over;
    this.#over = undefined;
    if (over) this.#release(over);
    return this.keptAt(point);
  }

  /** The same for a machine of the past that has the bytes of a place. */
  keptAt(point: DiskPoint): KeptOutside {
    // The start is there as long as the run.
    if (point === this.#start) return { what: point, release() {} };
    if (point === this.#over) this.#over = undefined;
    this.#points.set(point.number, new WeakRef(point));
    point.states++;
    return { what: point, release: () => --point.states === 0 && this.#release(point) };
  }

  restore(): void {
    throw new Error(`disk ${this.path} is the present's`);
  }

  /** The same disk for a machine of the past. */
  past(): PastDisk {
    if (!this.#old) throw notSavable(this.path);
    return new PastDisk(this, this.#start);
  }

  /**
   * The image with which another machine repeats the run so far: all that the guest has read, as it
   * was at the start.
   * @throws UserError if that does not lead to the same run
   */
  startImage(): StartImage {
    if (!this.#old) throw notSavable(this.path);
    if (this.#hasReadDiscarded) {
      throw new UserError(`the guest has read bytes of disk ${this.path} that it had discarded`, 'use mode "overlay"');
    }
    const start = this.#start, clusters = new Set<number>();
    for (const block of this.#read) clusters.add(Math.floor(block * BLOCK / CLUSTER));
    const size = Math.floor(this.size / SECTOR) * SECTOR;
    return { size, clusters: [...clusters], read: (offset, into) => this.readAt(start, offset, into) };
  }

  /** The place of the run with this number. */
  pointOf(number: number): DiskPoint {
    const point = number === 0 ? this.#start : this.#points.get(number)?.deref();
    if (!point) throw new Error(`disk ${this.path} has no bytes of place ${number}`);
    return point;
  }

  /** Reads what the disk had at a place of the run. */
  readAt(point: DiskPoint, offset: number, into: Uint8Array): void {
    this.file.read(offset, into);
    for (let block = blockOf(offset); block * BLOCK < offset + into.length; block++) {
      const at = block * BLOCK - offset, first = Math.max(0, at), end = Math.min(into.length, at + BLOCK);
      for (let place: DiskPoint | undefined = point; place; place = place.next) {
        const page = place.pages.get(block);
        if (page) into.set(page.bytes.subarray(first - at, end - at), first);
        else if (place.zeros.has(block)) into.fill(0, first, end);
        else continue;
        break;
      }
    }
  }

  #release(point: DiskPoint): void {
    this.#points.delete(point.number);
    if (point === this.#now) {
      this.#over = point;
      return;
    }
    let before: DiskPoint | undefined = this.#start;
    while (before && before.next !== point) before = before.next;
    if (before) this.#old?.forget(before.absorb(point));
  }

  /** @param zeroes whether the bytes are zero from then on */
  #change(offset: number, size: number, zeroes: boolean, change: () => void): void {
    this.#tried(() => {
      if (this.#old) this.#keep(this.#old, offset, size, zeroes);
      change();
    });
  }

  #noteRead(offset: number, bytes: Uint8Array): void {
    for (let block = blockOf(offset); block * BLOCK < offset + bytes.length; block++) {
      this.#read.add(block);
      if (!this.#discarded.has(block)) continue;
      const at = block * BLOCK - offset;
      if (bytes.subarray(Math.max(0, at), at + BLOCK).some((byte) => byte !== 0)) this.#hasReadDiscarded = true;
    }
  }

  /** Keeps blocks that are about to change for the first time; zeros that stay zero do not. */
  #keep(old: OldBytes, offset: number, size: number, zeroes: boolean): void {
    const end = Math.ceil((offset + size) / BLOCK), now = this.#now;
    for (let block = Math.ceil(offset / BLOCK); (block + 1) * BLOCK <= offset + size; block++) this.#discarded.delete(block);
    for (let block = blockOf(offset); block < end;) {
      if (now.has(block)) {
        block++;
        continue;
      }
      let stop = block + 1;
      while (stop < end && stop - block < RUN && !now.has(stop)) stop++;
      const bytes = this.#buffer.subarray(0, (stop - block) * BLOCK), there = Math.min(bytes.length, this.size - block * BLOCK);
      this.file.read(block * BLOCK, bytes.subarray(0, there));
      bytes.fill(0, there);
      for (let at = 0; block < stop; block++, at += BLOCK) {
        const content = bytes.subarray(at, at + BLOCK);
        if (!isZeroPage(content)) now.pages.set(block, old.keep(content));
        else if (!zeroes) now.zeros.add(block);
        // There was no room.
        if (this.#old !== old) return;
      }
    }
  }

  /** A machine of the past cannot repeat what the computer has refused. */
  #tried(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#old?.lose(`disk ${this.path} could not be read or written`);
      throw error;
    }
  }
}

/** A written disk in a machine that repeats a part of the run: what it writes is its own. */
export class PastDisk implements ReferredDisk {
  readonly readOnly = false;
  readonly savable = false;
  readonly path: string;
  readonly #changes: OverlayBacking;

  #point: DiskPoint;

  constructor(readonly disk: WrittenDisk, point: DiskPoint) {
    this.path = disk.path;
    this.#point = point;
    this.#changes = new OverlayBacking({ size: disk.size, read: (offset, into) => disk.readAt(this.#point, offset, into) });
  }

  get size(): number {
    return this.disk.size;
  }

  /** Bytes of memory that its own writes take. */
  get changed(): number {
    return this.#changes.changed;
  }

  read(offset: number, into: Uint8Array): void {
    this.#changes.read(offset, into);
  }

  write(offset: number, from: Uint8Array): void {
    this.#changes.write(offset, from);
  }

  zero(offset: number, size: number): void {
    this.#changes.zero(offset, size);
  }

  discard(offset: number, size: number): void {
    if (this.disk.discardsToZero) this.#changes.discard(offset, size);
  }

  flush(): void {}

  save(): v.InferOutput<typeof STATE> {
    return { point: this.#point.number, changes: this.#changes.save() };
  }

  kept(): KeptOutside {
    return this.disk.keptAt(this.#point);
  }

  restore(state: unknown): void {
    const { point, changes } = inForm(STATE, state);
    this.#point = this.disk.pointOf(point);
    this.#changes.restore(changes ?? { blocks: [], zeroed: [] });
  }
}
