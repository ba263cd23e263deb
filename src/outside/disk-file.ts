// A disk's bytes in a file of the computer, written through: flushed data survives any failure of
// this program.

import { UnsavableError } from "../state/parts.ts";
import type { BlockBacking } from "../virtio/block/backing.ts";

const ZEROES = new Uint8Array(1 << 16);

/** The reason why a writable disk is in no snapshot. */
export function notSavable(path: string): UnsavableError {
  return new UnsavableError(`disk ${path} is written through to its file, and cannot be part of a snapshot; use mode "overlay"`);
}

/** A raw disk image. Its size is a number of bytes that it keeps. */
export class DiskFile implements BlockBacking {
  readonly size: number;
  readonly savable: boolean;
  readonly #file: Deno.FsFile;

  /**
   * Opens the file, and holds it against other writers.
   * @throws Error where it cannot be opened, is empty, or is a writable disk of another session.
   */
  constructor(readonly path: string, readonly readOnly: boolean) {
    this.savable = readOnly;
    this.#file = Deno.openSync(path, { read: true, write: !readOnly });
    if (!readOnly && !this.#file.tryLockSync(true)) {
      this.#file.close();
      throw new Error(`another session uses disk ${path}; open it there with mode "ro" or "overlay"`);
    }
    this.size = this.#file.seekSync(0, Deno.SeekMode.End);
    if (this.size < 512) {
      this.#file.close();
      throw new Error(`disk ${path} has ${this.size} bytes, less than a sector; make it with: truncate -s 1G ${path}`);
    }
  }

  read(offset: number, into: Uint8Array): void {
    this.#file.seekSync(offset, Deno.SeekMode.Start);
    for (let done = 0; done < into.length;) {
      const count = this.#file.readSync(into.subarray(done));
      if (count === null) throw new Error(`${this.path} became shorter than ${this.size} bytes`);
      done += count;
    }
  }

  write(offset: number, from: Uint8Array): void {
    this.#file.seekSync(offset, Deno.SeekMode.Start);
    for (let done = 0; done < from.length;) done += this.#file.writeSync(from.subarray(done));
  }

  flush(): void {
    this.#file.syncDataSync();
  }

  zero(offset: number, size: number): void {
    for (let done = 0; done < size; done += ZEROES.length) {
      this.write(offset + done, ZEROES.subarray(0, Math.min(ZEROES.length, size - done)));
    }
  }

  /** Gives the file back. */
  close(): void {
    this.#file.close();
  }

  /** A read-only disk has no state; a writable one cannot be saved (`savable`). */
  save(): undefined {
    if (!this.savable) throw notSavable(this.path);
  }

  restore(): void {}
}
