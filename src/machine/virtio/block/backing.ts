// Backings of a disk: a file elsewhere, or an unchanged base with the changes kept separately.

import * as v from "valibot";
import { count, demand, inForm, list } from "../../../kit/support/values/forms.ts";

/**
 * A disk's bytes. Offsets and lengths are bytes within `size`. Errors of the computer (no space, no
 * permission) are exceptions of the backing.
 */
export interface BlockBacking {
  readonly size: number;
  readonly readOnly: boolean;
  /** Whether its content is part of the machine's state, so that the machine can be saved. */
  readonly savable: boolean;
  read(offset: number, into: Uint8Array): void;
  write(offset: number, from: Uint8Array): void;
  /** Returns when all earlier writes are safe. */
  flush(): void;
  /** The bytes are zero from now on; room may be given back. */
  zero(offset: number, size: number): void;
  /** The guest no longer needs the bytes. Absent if that gives no room back. */
  discard?(offset: number, size: number): void;
  save(): unknown;
  restore(state: unknown): void;
}

const BLOCK = 4096;
/** Blocks of a chunk, which can be zero as a whole. */
const CHUNK_BLOCKS = 256;
/**
 * Bytes of a chunk. A guest that zeroes a whole disk must not take a disk's size of memory, nor a
 * block's entry for each of its blocks.
 */
export const ZERO_CHUNK = CHUNK_BLOCKS * BLOCK;

/** Stands for every other block that is all zeros. It is never written to. */
const ZEROS = new Uint8Array(BLOCK);
/** A block of zeros as it is saved. */
const NO_BYTES = new Uint8Array(0);

const BLOCKS = list(v.strictObject({
  number: count,
  bytes: v.custom<Uint8Array>((value) => value instanceof Uint8Array && [0, BLOCK].includes(value.length), "it is not a block"),
}));

const STATE = v.strictObject({ blocks: BLOCKS, zeroed: list(count) });

/** Reads an image that has zeros after its end. */
export function readPadded(image: Pick<BlockBacking, "size" | "read">, offset: number, into: Uint8Array): void {
  const there = Math.min(into.length, Math.max(0, image.size - offset));
  if (there > 0) image.read(offset, into.subarray(0, there));
  into.fill(0, there);
}

/** Changes of a disk in memory over a base that is never written. */
export class OverlayBacking implements BlockBacking {
  readonly readOnly = false;
  readonly savable = true;
  /** Changed blocks by number. */
  readonly #blocks = new Map<number, Uint8Array>();
  /** Numbers of chunks whose other blocks are all zeros. */
  readonly #zeroed = new Set<number>();

  /** @param size bytes of the disk: there are zeros after the base */
  constructor(readonly base: Pick<BlockBacking, "size" | "read">, readonly size = base.size) {}

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
      else if (this.#isZeroed(block)) into.fill(0, at, at + size);
      else readPadded(this.base, offset + at, into.subarray(at, at + size));
    });
  }

  write(offset: number, from: Uint8Array): void {
    this.#pieces(offset, from.length, (block, within, at, size) => {
      this.#block(block, size === BLOCK).set(from.subarray(at, at + size), within);
    });
  }

  flush(): void {}

  zero(offset: number, size: number): void {
    const end = offset + size;
    for (let at = offset; at < end;) {
      const chunk = Math.floor(at / ZERO_CHUNK), next = Math.min(end, (chunk + 1) * ZERO_CHUNK);
      if (next - at === ZERO_CHUNK) this.#zeroChunk(chunk);
      else this.#zeroBlocks(at, next - at);
      at = next;
    }
  }

  /** Reads give zeros, as drivers of the past expect. */
  discard(offset: number, size: number): void {
    this.zero(offset, size);
  }

  save(): v.InferOutput<typeof STATE> {
    const blocks = [...this.#blocks].sort(([a], [b]) => a - b).map(([number, bytes]) => ({
      number,
      bytes: bytes === ZEROS ? NO_BYTES : bytes.slice(),
    }));
    return { blocks, zeroed: [...this.#zeroed].sort((a, b) => a - b) };
  }

  restore(state: unknown): void {
    const { blocks, zeroed } = inForm(STATE, state);
    this.#blocks.clear();
    this.#zeroed.clear();
    for (const { number, bytes } of blocks) {
      demand(number * BLOCK < this.size, `block ${number}`, "it is not on the disk");
      this.#blocks.set(number, bytes.length ? bytes.slice() : ZEROS);
    }
    for (const chunk of zeroed) {
      demand((chunk + 1) * ZERO_CHUNK <= this.size, `chunk ${chunk}`, "it is not on the disk");
      this.#zeroed.add(chunk);
    }
  }

  #isZeroed(block: number): boolean {
    return this.#zeroed.size > 0 && this.#zeroed.has(Math.floor(block / CHUNK_BLOCKS));
  }

  #zeroChunk(chunk: number): void {
    const first = chunk * CHUNK_BLOCKS;
    if (this.#blocks.size > 0) { for (let block = first; block < first + CHUNK_BLOCKS; block++) this.#blocks.delete(block); }
    this.#zeroed.add(chunk);
  }

  #zeroBlocks(offset: number, size: number): void {
    this.#pieces(offset, size, (block, within, _at, length) => {
      if (length < BLOCK) this.#block(block, false).fill(0, within, within + length);
      else if (this.#isZeroed(block)) this.#blocks.delete(block);
      else this.#blocks.set(block, ZEROS);
    });
  }

  /** A block that may be changed; `whole` when all of it is about to be. */
  #block(number: number, whole: boolean): Uint8Array {
    const changed = this.#blocks.get(number);
    if (changed && changed !== ZEROS) return changed;
    const block = new Uint8Array(BLOCK);
    const start = number * BLOCK;
    if (!whole && !changed && !this.#isZeroed(number)) readPadded(this.base, start, block);
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
