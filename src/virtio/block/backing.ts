// Backings of a disk: a file elsewhere, or an unchanged base with the changes kept separately.

import * as v from "valibot";
import { count, demand, inForm, list } from "../../support/forms.ts";

/**
 * A disk's bytes. Offsets and lengths are bytes within `size`. Errors of the computer (no space, no
 * permission) are exceptions of the backing.
 */
export interface BlockBacking {
  readonly size: number;
  /** Whether writes are refused. */
  readonly readOnly: boolean;
  /** Whether its content is part of the machine's state, so that the machine can be saved. */
  readonly savable: boolean;
  read(offset: number, into: Uint8Array): void;
  write(offset: number, from: Uint8Array): void;
  /** Returns when all earlier writes are safe. */
  flush(): void;
  /** The bytes are zero from now on; room may be given back. */
  zero(offset: number, size: number): void;
  save(): unknown;
  restore(state: unknown): void;
}

const BLOCK = 4096;

/**
 * Stands for every block that is all zeros: a guest that discards a whole disk must not take a
 * disk's size of memory. It is never written to.
 */
const ZEROS = new Uint8Array(BLOCK);
/** A block of zeros as it is saved. */
const NO_BYTES = new Uint8Array(0);

const BLOCKS = list(v.strictObject({
  number: count,
  bytes: v.custom<Uint8Array>((value) => value instanceof Uint8Array && [0, BLOCK].includes(value.length), "it is not a block"),
}));

/** Changes of a disk in memory over a base that is never written. */
export class OverlayBacking implements BlockBacking {
  readonly readOnly = false;
  readonly savable = true;
  /** Changed blocks by number. */
  readonly #blocks = new Map<number, Uint8Array>();

  constructor(readonly base: Pick<BlockBacking, "size" | "read">) {}

  get size(): number {
    return this.base.size;
  }

  /** Bytes of the computer's memory that the changes take. */
  get changed(): number {
    let blocks = 0;
    for (const bytes of this.#blocks.values()) if (bytes !== ZEROS) blocks++;
    return blocks * BLOCK;
  }

  read(offset: number, into: Uint8Array): void {
    this.#pieces(offset, into.length, (block, within, at, size) => {
      const changed = this.#blocks.get(block);
      if (changed) into.set(changed.subarray(within, within + size), at);
      else this.base.read(offset + at, into.subarray(at, at + size));
    });
  }

  write(offset: number, from: Uint8Array): void {
    this.#pieces(offset, from.length, (block, within, at, size) => {
      this.#block(block, size === BLOCK).set(from.subarray(at, at + size), within);
    });
  }

  flush(): void {}

  zero(offset: number, size: number): void {
    this.#pieces(offset, size, (block, within, _at, length) => {
      if (length === BLOCK) this.#blocks.set(block, ZEROS);
      else this.#block(block, false).fill(0, within, within + length);
    });
  }

  save(): { number: number; bytes: Uint8Array }[] {
    return [...this.#blocks].sort(([a], [b]) => a - b).map(([number, bytes]) => ({
      number,
      bytes: bytes === ZEROS ? NO_BYTES : bytes.slice(),
    }));
  }

  restore(state: unknown): void {
    this.#blocks.clear();
    for (const { number, bytes } of inForm(BLOCKS, state)) {
      demand(number * BLOCK < this.size, `block ${number}`, "it is not on the disk");
      this.#blocks.set(number, bytes.length ? bytes.slice() : ZEROS);
    }
  }

  /** A block that may be changed; `whole` when all of it is about to be. */
  #block(number: number, whole: boolean): Uint8Array {
    const changed = this.#blocks.get(number);
    if (changed && changed !== ZEROS) return changed;
    const block = new Uint8Array(BLOCK);
    const start = number * BLOCK;
    if (!whole && !changed) this.base.read(start, block.subarray(0, Math.min(BLOCK, this.size - start)));
    this.#blocks.set(number, block);
    return block;
  }

  #pieces(offset: number, length: number, one: (block: number, within: number, at: number, size: number) => void): void {
    for (let at = 0; at < length;) {
      const within = (offset + at) % BLOCK;
      const size = Math.min(BLOCK - within, length - at);
      one(Math.floor((offset + at) / BLOCK), within, at, size);
      at += size;
    }
  }
}
