// A disk that is made of pieces: each is at its place, from its own backing. Between them, and
// where a piece is longer than its backing, there are zeros that nobody writes.

import * as v from "valibot";
import { demand, inForm, list } from "../../../kit/support/values/forms.ts";
import { type BlockBacking, readPadded } from "./backing.ts";

/** A piece of a disk; places and sizes are bytes. */
export interface DiskPiece {
  /** In messages. */
  readonly name: string;
  readonly offset: number;
  readonly size: number;
  readonly from: Pick<BlockBacking, "size" | "read">;
  /** The same, if guests write it. */
  readonly to?: BlockBacking | undefined;
}

const STATE = list(v.unknown());

export class PiecesBacking implements BlockBacking {
  readonly readOnly: boolean;
  readonly savable: boolean;
  readonly #written: readonly BlockBacking[];

  /** @param pieces ascending, and apart from each other */
  constructor(readonly size: number, readonly pieces: readonly DiskPiece[]) {
    this.#written = pieces.flatMap(({ to }) => to ?? []);
    this.readOnly = this.#written.length === 0;
    this.savable = this.#written.every(({ savable }) => savable);
  }

  read(offset: number, into: Uint8Array): void {
    into.fill(0);
    this.#each(offset, into.length, ({ from }, within, at, size) => readPadded(from, within, into.subarray(at, at + size)));
  }

  write(offset: number, from: Uint8Array): void {
    this.#change(offset, from.length, (disk, within, at, size) => disk.write(within, from.subarray(at, at + size)));
  }

  flush(): void {
    for (const disk of this.#written) disk.flush();
  }

  zero(offset: number, size: number): void {
    this.#change(offset, size, (disk, within, _at, size) => disk.zero(within, size));
  }

  /** Pieces that give no room back keep their bytes. */
  discard(offset: number, size: number): void {
    this.#change(offset, size, (disk, within, _at, size) => disk.discard?.(within, size));
  }

  /** The states of the pieces that are written; the others have none. */
  save(): v.InferOutput<typeof STATE> {
    return this.#written.map((disk) => disk.save());
  }

  restore(state: unknown): void {
    const states = inForm(STATE, state);
    demand(states.length === this.#written.length, "it", `it has ${states.length} states of ${this.#written.length} pieces`);
    for (const [index, disk] of this.#written.entries()) disk.restore(states[index]);
  }

  /** The pieces of a range, and how much of it is in them. */
  #each(offset: number, length: number, one: (piece: DiskPiece, within: number, at: number, size: number) => void): number {
    let all = 0;
    for (const piece of this.pieces) {
      const start = Math.max(offset, piece.offset), end = Math.min(offset + length, piece.offset + piece.size);
      if (start >= end) continue;
      one(piece, start - piece.offset, start - offset, end - start);
      all += end - start;
    }
    return all;
  }

  /** @throws Error before anything is changed, if a part of the range is in no written piece */
  #change(offset: number, length: number, one: (disk: BlockBacking, within: number, at: number, size: number) => void): void {
    const found = this.#each(offset, length, ({ name, to }, within, _at, size) => {
      if (to === undefined || within + size > to.size) throw new Error(`${name} is read-only at byte ${offset} of the disk`);
    });
    if (found < length) throw new Error(`no partition is at byte ${offset} of the disk`);
    this.#each(offset, length, ({ to }, within, at, size) => to && one(to, within, at, size));
  }
}
