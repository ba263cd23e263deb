// The computer for the worker that runs guests and has no rights: files, disks, folders and logs of
// another thread (`served-computer.ts`).

import type { Computer, OpenDisk, OpenLog } from "../outside/computer.ts";
import { notSavable } from "../outside/disk-file.ts";
import { KiB } from "../support/sizes.ts";
import type { Files, GrowingFile, PendingFile } from "../support/files.ts";
import type { FileChange, FileStatus, OpenFile, SharedFolder } from "../virtio/p9/folder.ts";
import { type Calls, PIECE } from "./calls.ts";
import type { RemoteSockets } from "./remote-sockets.ts";

/** The object whose methods open all others. */
const COMPUTER = 0;

/**
 * Files of another thread.
 * @param own reads what this thread may read by itself
 */
export function remoteFiles(calls: Calls, own: Pick<Files, "read">): Files {
  return {
    whole(path, options) {
      const file = calls.call(COMPUTER, "whole", path, options) as number;
      const write = (bytes: Uint8Array) => {
        for (const [, piece] of pieces(bytes)) calls.call(file, "write", piece);
      };
      let done = false;
      return {
        write,
        writeSync(bytes) {
          write(bytes);
          return bytes.length;
        },
        commit() {
          calls.call(file, "commit");
          done = true;
        },
        [Symbol.dispose]() {
          if (!done) calls.call(file, "dispose");
          done = true;
        },
      } satisfies PendingFile;
    },
    emptied(path) {
      const file = calls.call(COMPUTER, "emptied", path) as number;
      return {
        writeSync: (bytes) => calls.call(file, "write", bytes.subarray(0, PIECE)) as number,
        close: () => void calls.call(file, "close"),
      } satisfies GrowingFile;
    },
    read(path) {
      try {
        return own.read(path);
      } catch (error) {
        if (!(error instanceof Deno.errors.NotCapable)) throw error;
        return calls.call(COMPUTER, "read", path) as Uint8Array;
      }
    },
    exists: (path) => calls.call(COMPUTER, "exists", path) as boolean,
    store: (sha256, bytes) => void calls.call(COMPUTER, "store", sha256, bytes),
    report: () => calls.call(COMPUTER, "report") as string | undefined,
  };
}

/** Bytes by pieces of a call, and where each begins. */
function* pieces(bytes: Uint8Array): Generator<readonly [at: number, piece: Uint8Array]> {
  for (let at = 0; at < bytes.length; at += PIECE) yield [at, bytes.subarray(at, at + PIECE)];
}

/** The computer by another thread. */
export function remoteComputer(calls: Calls, sockets: RemoteSockets): Computer {
  const disks = new Set<RemoteDisk>();
  return {
    disk(path, readOnly) {
      const { object, size } = calls.call(COMPUTER, "disk", path, readOnly) as { object: number; size: number };
      return new RemoteDisk(calls, object, path, readOnly, size, disks);
    },
    folder: (path) => new RemoteFolder(calls, calls.call(COMPUTER, "folder", path) as number),
    log: (path) => new RemoteLog(calls, path),
    sockets: () => sockets.network(),
    unixSockets: () => sockets.unix(),
  };
}

/**
 * Bytes that a disk fetches when reads follow each other: a call costs as much as to copy several
 * times that.
 */
const AHEAD = 128 * KiB;

/** A disk of another thread. */
class RemoteDisk implements OpenDisk {
  readonly savable: boolean;
  /** Fetched bytes, which begin at `#from`; they serve only reads that follow each other. */
  #fetched: Uint8Array | undefined;
  #from = 0;
  #count = 0;
  /** The end of the read before. */
  #next = -1;

  constructor(
    readonly calls: Calls,
    readonly object: number,
    readonly path: string,
    readonly readOnly: boolean,
    readonly size: number,
    /** All disks of the machine: two may have one file. */
    readonly disks: Set<RemoteDisk>,
  ) {
    this.savable = readOnly;
    disks.add(this);
  }

  read(offset: number, into: Uint8Array): void {
    const follows = offset === this.#next;
    this.#next = offset + into.length;
    if (!follows || into.length >= AHEAD || this.#next > this.size) {
      this.#count = 0;
      return this.#read(offset, into);
    }
    if (offset < this.#from || this.#next > this.#from + this.#count) {
      const fetched = this.#fetched ??= new Uint8Array(AHEAD), count = Math.min(AHEAD, this.size - offset);
      this.#count = 0;
      this.#read(offset, fetched.subarray(0, count));
      this.#from = offset;
      this.#count = count;
    }
    const at = offset - this.#from;
    into.set(this.#fetched!.subarray(at, at + into.length));
  }

  #read(offset: number, into: Uint8Array): void {
    for (const [at, piece] of pieces(into)) {
      const size = this.calls.read(piece, this.object, "read", offset + at, piece.length);
      if (size !== piece.length) throw new RangeError(`${size} bytes of ${this.path}, not ${piece.length}`);
    }
  }

  write(offset: number, from: Uint8Array): void {
    this.#changes();
    for (const [at, piece] of pieces(from)) this.calls.call(this.object, "write", offset + at, piece);
  }

  flush(): void {
    this.calls.call(this.object, "flush");
  }

  zero(offset: number, size: number): void {
    this.#changes();
    this.calls.call(this.object, "zero", offset, size);
  }

  /** Bytes of a file change: fetched ones are no longer right. */
  #changes(): void {
    for (const disk of this.disks) disk.#count = 0;
  }

  close(): void {
    this.disks.delete(this);
    this.calls.call(this.object, "close");
  }

  /** As `DiskFile` has it. */
  save(): undefined {
    if (!this.savable) throw notSavable(this.path);
  }

  restore(): void {}
}

/** A console's log of another thread. */
class RemoteLog implements OpenLog {
  readonly #object: number;
  failed: string | undefined;

  constructor(readonly calls: Calls, path: string) {
    const { object, failed } = calls.call(COMPUTER, "log", path) as { object: number; failed: string | undefined };
    this.#object = object;
    this.failed = failed;
  }

  write(bytes: Uint8Array): void {
    if (this.failed === undefined) this.failed = this.calls.call(this.#object, "write", bytes) as string | undefined;
  }

  close(): void {
    this.calls.call(this.#object, "close");
  }
}

/** A shared folder of another thread. */
class RemoteFolder implements SharedFolder {
  constructor(readonly calls: Calls, readonly object: number) {}

  status(path: readonly string[]): FileStatus {
    return this.#call("status", path) as FileStatus;
  }

  list(path: readonly string[]): string[] {
    return this.#call("list", path) as string[];
  }

  readLink(path: readonly string[]): string {
    return this.#call("readLink", path) as string;
  }

  open(path: readonly string[], access: { readonly read: boolean; readonly write: boolean; readonly truncate: boolean }): OpenFile {
    return this.#file(this.#call("open", path, access) as number);
  }

  create(path: readonly string[], permissions: number): OpenFile {
    return this.#file(this.#call("create", path, permissions) as number);
  }

  makeFolder(path: readonly string[], permissions: number): void {
    this.#call("makeFolder", path, permissions);
  }

  makeSymlink(path: readonly string[], target: string): void {
    this.#call("makeSymlink", path, target);
  }

  makeLink(path: readonly string[], existing: readonly string[]): void {
    this.#call("makeLink", path, existing);
  }

  rename(from: readonly string[], to: readonly string[]): void {
    this.#call("rename", from, to);
  }

  removeFile(path: readonly string[]): void {
    this.#call("removeFile", path);
  }

  removeFolder(path: readonly string[]): void {
    this.#call("removeFolder", path);
  }

  change(path: readonly string[], change: FileChange): void {
    this.#call("change", path, change);
  }

  #call(method: string, ...args: readonly unknown[]): unknown {
    return this.calls.call(this.object, method, ...args);
  }

  #file(object: number): OpenFile {
    const { calls } = this;
    return {
      status: () => calls.call(object, "status") as FileStatus,
      read(offset, into) {
        const wanted = into.subarray(0, PIECE);
        return calls.read(wanted, object, "read", offset, wanted.length);
      },
      write: (offset, from) => calls.call(object, "write", offset, from) as number,
      change: (change) => void calls.call(object, "change", change),
      sync: (dataOnly) => void calls.call(object, "sync", dataOnly),
      close: () => void calls.call(object, "close"),
    };
  }
}
