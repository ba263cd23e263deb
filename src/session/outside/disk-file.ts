// A disk's bytes in a file of the computer, written through: flushed data survives any failure of
// this program. Files whose names end in .qcow2 are qcow2 images, all others are raw: a guest that
// writes the header of another format into its raw disk has a raw disk the next time, too.

import { BadQcow2 } from "../../kit/formats/qcow2.ts";
import { imageBytes } from "../../kit/formats/image-bytes.ts";
import { Qcow2Disk } from "../../kit/formats/qcow2-disk.ts";
import { UnsavableError } from "../state/parts.ts";
import { cannotRead } from "../../kit/support/files/named-file.ts";
import { writePart } from "../../kit/support/files/write-all.ts";
import type { BlockBacking } from "../../machine/virtio/block/backing.ts";
import { problemOf, UserError } from "../../kit/support/problem.ts";

const ZEROES = new Uint8Array(1 << 16);
/** The content of a piece of a disk before it is zeroed. */
const piece = new Uint8Array(ZEROES.length);

/** The reason why a writable disk is in no snapshot. */
export function notSavable(path: string): UnsavableError {
  return new UnsavableError(`disk ${path} is written through to its file, and cannot be part of a snapshot`, 'use mode "overlay"');
}

/** An open disk of a file. */
interface FileDisk extends BlockBacking {
  readonly path: string;
  /** Gives the file back. */
  close(): void;
}

/** Where the files of disks come from. */
export interface DiskFiles {
  /** @throws Error if it cannot be opened, or another session uses it and either writes */
  open(path: string, readOnly: boolean): Deno.FsFile;
  /** A disk no longer uses the file. */
  close(file: Deno.FsFile): void;
}

/** Files that this thread may open. One that is written has one user: readers keep its tables. */
export const COMPUTER_FILES: DiskFiles = {
  open(path, readOnly) {
    // Opening a pipe would wait for its writer.
    const { isFile, isBlockDevice } = statOf(path);
    if (!isFile && !isBlockDevice) throw new DiskError(`disk ${path} is not a file or a block device`);
    const file = Deno.openSync(path, { read: true, write: !readOnly });
    try {
      if (lock(file, readOnly)) return file;
      throw new DiskInUse(path);
    } catch (error) {
      file.close();
      throw error;
    }
  },
  close: (file) => file.close(),
};

/** A disk that cannot be used, for its user. */
export class DiskError extends UserError {}

/** @throws DiskError for a device that Deno opens only with all permissions */
function statOf(path: string): Deno.FileInfo {
  try {
    return Deno.statSync(path);
  } catch (error) {
    throw error instanceof Deno.errors.NotCapable ? new DiskError(`disk ${path} is a device that el2 does not open`, "use a file") : error;
  }
}

/** Codes of file systems without locks. */
const NO_LOCKS = ["ENOLCK", "ENOSYS", "ENOTSUP", "EOPNOTSUPP"];

/** Takes the lock for one's use; a reader does without where the file system has none. */
function lock(file: Deno.FsFile, readOnly: boolean): boolean {
  try {
    return file.tryLockSync(!readOnly);
  } catch (error) {
    if (readOnly && error instanceof Error && NO_LOCKS.includes((error as { code?: string }).code ?? "")) return true;
    throw error;
  }
}

/** The reason why a disk of another session cannot be opened. */
export class DiskInUse extends DiskError {
  constructor(path: string) {
    super(`another session uses disk ${path}`, 'sessions share it only if all use mode "ro" or "overlay"');
  }
}

/**
 * Opens a disk, and holds it against writers, a writable one against all others.
 * @throws DiskError if it cannot be opened, is damaged, or is in use and either user writes
 */
export function openDisk(path: string, readOnly: boolean, files = COMPUTER_FILES): FileDisk {
  try {
    return path.endsWith(".qcow2") ? new Qcow2File(path, readOnly, files) : new DiskFile(path, readOnly, files);
  } catch (error) {
    // A disk that is not the machine's is a defect of el2.
    if (error instanceof DiskError || error instanceof Deno.errors.NotCapable) throw error;
    throw new DiskError(cannotRead(error, `disk ${path}`));
  }
}

/** A qcow2 image: it grows with what is written. */
class Qcow2File implements FileDisk {
  readonly savable: boolean;
  readonly #file: Deno.FsFile;
  readonly #disk: Qcow2Disk;

  constructor(readonly path: string, readonly readOnly: boolean, readonly files: DiskFiles) {
    this.savable = readOnly;
    this.#file = files.open(path, readOnly);
    try {
      this.#disk = new Qcow2Disk(imageBytes(this.#file), readOnly);
    } catch (error) {
      this.close();
      throw error instanceof BadQcow2 ? new DiskError(problemOf(error, `disk ${path}`)) : error;
    }
  }

  get size(): number {
    return this.#disk.size;
  }

  read(offset: number, into: Uint8Array): void {
    this.#disk.read(offset, into);
  }

  write(offset: number, from: Uint8Array): void {
    this.#disk.write(offset, from);
  }

  flush(): void {
    this.#disk.flush();
  }

  zero(offset: number, size: number): void {
    this.#disk.zero(offset, size);
  }

  /** Gives clusters back to the image. */
  discard(offset: number, size: number): void {
    this.#disk.zero(offset, size);
  }

  close(): void {
    this.files.close(this.#file);
  }

  /** A read-only disk has no state; a writable one cannot be saved (`savable`). */
  save(): undefined {
    if (!this.savable) throw notSavable(this.path);
  }

  restore(): void {}
}

/** A raw disk image. Its size is a number of bytes that it keeps. */
export class DiskFile implements FileDisk {
  readonly size: number;
  readonly savable: boolean;
  readonly #file: Deno.FsFile;

  /**
   * Opens the file, and holds it against writers, a writable one against all others.
   * @throws Error if it cannot be opened, is empty, or is a writable disk of another session.
   */
  constructor(readonly path: string, readonly readOnly: boolean, readonly files = COMPUTER_FILES) {
    this.savable = readOnly;
    this.#file = files.open(path, readOnly);
    this.size = this.#file.seekSync(0, Deno.SeekMode.End);
    if (this.size < 512) {
      this.close();
      throw new DiskError(`disk ${path} has ${this.size} bytes, less than a sector`, `make it with: truncate -s 1G ${path}`);
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
    writePart(this.#file, offset, from);
  }

  flush(): void {
    this.#file.syncDataSync();
  }

  /** Writes no zeros over zeros: a hole of a sparse file stays one. */
  zero(offset: number, size: number): void {
    for (let done = 0; done < size; done += piece.length) {
      const found = piece.subarray(0, Math.min(piece.length, size - done));
      this.read(offset + done, found);
      let first = 0, end = found.length;
      while (first < end && found[first] === 0) first++;
      while (end > first && found[end - 1] === 0) end--;
      if (first < end) this.write(offset + done + first, ZEROES.subarray(first, end));
    }
  }

  /** Gives the file back. */
  close(): void {
    this.files.close(this.#file);
  }

  /** A read-only disk has no state; a writable one cannot be saved (`savable`). */
  save(): undefined {
    if (!this.savable) throw notSavable(this.path);
  }

  restore(): void {}
}
