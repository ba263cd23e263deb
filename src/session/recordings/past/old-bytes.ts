// Bytes of disks that were overwritten, for machines of the past. Some are in memory, the others in
// the file for states, which states and disks share: if it is full, states are dropped, and with
// them what only they need.

import { formatSize } from "../../../kit/support/text/units.ts";
import { PAGE_SIZE } from "../../../kit/support/values/sizes.ts";
import { Page } from "../../state/page-map.ts";
import type { OldBytes } from "../../state/parts.ts";
import type { PageFile } from "../../state/page-file.ts";
import type { History } from "./history.ts";

/** Pages that are moved into the file at a time, and pages that wait for room there at most. */
const BATCH = 256, WAITING_MAX = 16 * BATCH;
/** The part of the history's memory that they may take without a file. */
const SHARE = 1 / 4;

export class KeptOldBytes implements OldBytes {
  /** Pages in memory. */
  #waiting: Page[] = [];
  /** Pages that are needed, wherever they are. */
  #pages = 0;

  /**
   * @param limit bytes of memory for the history
   * @param lost is told why the past has ended
   */
  constructor(
    readonly history: History,
    readonly file: PageFile | undefined,
    readonly limit: number,
    readonly lost: (why: string) => void,
  ) {}

  /** Bytes of memory. */
  get inMemory(): number {
    return Math.min(this.#pages, this.#waiting.length) * PAGE_SIZE;
  }

  /** Bytes of the file. */
  get stored(): number {
    return Math.max(0, this.#pages - this.#waiting.length) * PAGE_SIZE;
  }

  keep(bytes: Uint8Array): Page {
    const page = new Page(bytes.slice());
    this.#pages++;
    this.#waiting.push(page);
    if (this.#waiting.length % BATCH === 0) this.#move();
    return page;
  }

  forget(blocks: number): void {
    this.#pages -= blocks;
  }

  lose(why: string): void {
    this.#waiting = [];
    this.#pages = 0;
    this.lost(why);
  }

  /** Makes room: in memory, by moving pages into the file, or by dropping states. */
  #move(): void {
    const { history, file } = this, most = file ? file.room : this.limit * SHARE;
    while (this.#pages * PAGE_SIZE + (file ? history.stored : 0) > most) {
      if (!history.dropOne()) return this.lose(`what disks had before takes more than ${formatSize(Math.floor(most))} (--disk-budget)`);
    }
    if (!file) return;
    if (file.store(this.#waiting)) this.#waiting = [];
    else if (file.isBroken) this.lose("the file for what disks had before cannot be written");
    else if (this.#waiting.length >= WAITING_MAX) {
      this.lose(`what disks had before takes more than ${formatSize(file.limit)} (--disk-budget)`);
    }
  }
}
