// Reads a file of slots, each of a page. Several are read at a time, as the pages of one state are
// neighbors.

import { readPart } from "../../kit/support/files/open-file.ts";
import { PAGE_SIZE } from "../../kit/support/values/sizes.ts";

/** Slots that are read at a time. */
const WINDOW = 16;

export class SlotReader {
  /** The slots that were read last. */
  #window: { readonly first: number; readonly bytes: Uint8Array } | undefined;

  constructor(readonly file: Deno.FsFile) {}

  /** The content of a slot; less than a page at the end of the file. */
  read(slot: number): Uint8Array {
    const first = slot - slot % WINDOW;
    if (this.#window?.first !== first) {
      this.#window = { first, bytes: readPart(this.file, first * PAGE_SIZE, WINDOW * PAGE_SIZE) };
    }
    const start = (slot - first) * PAGE_SIZE;
    return this.#window.bytes.subarray(start, start + PAGE_SIZE);
  }

  /** Forgets what was read: the file has changed. */
  forget(): void {
    this.#window = undefined;
  }
}
