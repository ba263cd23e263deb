// A file without a name, for pages of states that have no room in memory. Its length is limited,
// and its content goes with the process.

import type { Page } from "./page-map.ts";
import { writePart } from "../../kit/support/files/write-all.ts";
import { PAGE_SIZE } from "../../kit/support/values/sizes.ts";
import { SlotReader } from "./slot-reader.ts";

/** The share of the file for pages that are in use: room comes back some time later. */
const IN_USE = 0.8;
/** Most pages that are written at a time. */
const RUN = 256;

export class PageFile {
  readonly #slots: number;
  /** Bytes of pages in use that it has room for. */
  readonly room: number;
  /** Slots that were never used, from here on, and those that are free again. */
  #end = 0;
  #free: number[] = [];
  /** A page that no state has any more leaves its slot. */
  readonly #gone = new FinalizationRegistry<number>((slot) => this.#free.push(slot));
  readonly #reader: SlotReader;
  #broken = false;
  /** Pages on their way into the file: new memory for each run takes longer than the copies. */
  #run: Uint8Array<ArrayBuffer> | undefined;

  /** @param limit bytes */
  constructor(readonly file: Deno.FsFile, readonly limit: number) {
    this.#slots = Math.floor(limit / PAGE_SIZE);
    this.room = limit * IN_USE;
    this.#reader = new SlotReader(file);
  }

  /**
   * Opens a new file in a folder, and takes its name away.
   * @throws an error of the system
   */
  static inFolder(folder: string, limit: number): PageFile {
    Deno.mkdirSync(folder, { recursive: true, mode: 0o700 });
    const path = `${folder}/${crypto.randomUUID()}`;
    const file = Deno.openSync(path, { read: true, write: true, createNew: true, mode: 0o600 });
    Deno.removeSync(path);
    return new PageFile(file, limit);
  }

  /** The limit of a file that has room for this many bytes of pages. */
  static limitFor(bytes: number): number {
    return bytes / IN_USE;
  }

  /** Whether a write has failed: nothing more is moved here. */
  get isBroken(): boolean {
    return this.#broken;
  }

  /** Moves pages out of memory. False if there is no room: nothing has changed then. */
  store(pages: readonly Page[]): boolean {
    if (this.#broken || pages.length > this.#free.length + this.#slots - this.#end) return false;
    const reused = this.#free.splice(Math.max(0, this.#free.length - pages.length)).sort((a, b) => a - b);
    const slots = pages.map((_, index) => reused[index] ?? this.#end + index - reused.length);
    try {
      for (let first = 0; first < pages.length;) first = this.#writeRun(pages, slots, first);
    } catch (error) {
      // A full disk: states are dropped from now on, as without a file.
      if (!(error instanceof Error)) throw error;
      this.#broken = true;
      return false;
    }
    this.#end = Math.max(this.#end, (slots.at(-1) ?? 0) + 1);
    this.#reader.forget();
    for (const [index, page] of pages.entries()) {
      page.moved(this, slots[index]);
      this.#gone.register(page, slots[index]);
    }
    return true;
  }

  read(slot: number): Uint8Array {
    return this.#reader.read(slot);
  }

  /** Writes the pages from `first` on whose slots follow each other; the index after them. */
  #writeRun(pages: readonly Page[], slots: readonly number[], first: number): number {
    let end = first + 1;
    while (end < pages.length && end - first < RUN && slots[end] === slots[end - 1] + 1) end++;
    const bytes = (this.#run ??= new Uint8Array(RUN * PAGE_SIZE)).subarray(0, (end - first) * PAGE_SIZE);
    for (let index = first; index < end; index++) bytes.set(pages[index].bytes, (index - first) * PAGE_SIZE);
    writePart(this.file, slots[first] * PAGE_SIZE, bytes);
    return end;
  }
}
