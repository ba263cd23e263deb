// The computer for the worker that runs guests and has no rights: files, folders, logs and sockets
// of another thread (`served-computer.ts`), and disks that it opened while it had them.

import type { Computer, OpenLog } from "../outside/computer.ts";
import { openDisk } from "../outside/disk-file.ts";
import type { Files, GrowingFile, PendingFile } from "../support/files.ts";
import type { FileChange, FileStatus, OpenFile, SharedFolder } from "../virtio/p9/folder.ts";
import { type Calls, PIECE } from "./calls.ts";
import type { OwnDisks } from "./own-disks.ts";
import type { RemoteSockets } from "./remote-sockets.ts";

/** The object whose methods open all others. */
const COMPUTER = 0;

/** Files of another thread. */
export function remoteFiles(calls: Calls): Files {
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
    store: (sha256, bytes) => void calls.call(COMPUTER, "store", sha256, bytes),
    report: () => calls.call(COMPUTER, "report") as string | undefined,
  };
}

/** Bytes by pieces of a call, and where each begins. */
function* pieces(bytes: Uint8Array): Generator<readonly [at: number, piece: Uint8Array]> {
  for (let at = 0; at < bytes.length; at += PIECE) yield [at, bytes.subarray(at, at + PIECE)];
}

/** The computer by another thread, without its disks. */
export function remoteComputer(calls: Calls, sockets: RemoteSockets, disks: OwnDisks): Computer {
  return {
    disk: (path, readOnly) => openDisk(path, readOnly, disks),
    folder: (path) => new RemoteFolder(calls, calls.call(COMPUTER, "folder", path) as number),
    log: (path) => new RemoteLog(calls, path),
    sockets: () => sockets.network(),
    unixSockets: () => sockets.unix(),
  };
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
