// The computer for the worker that runs guests and has no rights: files, folders, logs and sockets
// of another thread (`served-computer.ts`), and disks that it opened while it had them.

import type { Computer, OpenLog } from "../outside/computer.ts";
import { openDisk } from "../outside/disk-file.ts";
import type { Maker } from "../../kit/support/files/maker.ts";
import type { Files, GrowingFile, PendingFile } from "../../kit/support/files/files.ts";
import { writeFully } from "../../kit/support/files/write-all.ts";
import type { FolderFile, SharedFolder } from "../../machine/virtio/p9/folder.ts";
import { type Calls, PIECE } from "./calls.ts";
import { FILE_METHODS, FOLDER_METHODS } from "./computer-methods.ts";
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
    begun(path, start) {
      const file = calls.call(COMPUTER, "begun", path) as number;
      const growing: GrowingFile = {
        writeSync: (bytes) => calls.call(file, "write", bytes.subarray(0, PIECE)) as number,
        close: () => void calls.call(file, "close"),
      };
      try {
        writeFully(growing, start);
        calls.call(file, "publish");
      } catch (error) {
        growing.close();
        throw error;
      }
      return growing;
    },
    store: (sha256, bytes) => void calls.call(COMPUTER, "store", sha256, bytes),
    report: () => calls.call(COMPUTER, "report") as string | undefined,
    maker: () => calls.call(COMPUTER, "maker") as Maker,
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
    folder: (path) => remoteFolder(calls, calls.call(COMPUTER, "folder", path) as number),
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

/** Methods of an object of another thread. */
function methodsOf(calls: Calls, object: number, names: readonly string[]) {
  return Object.fromEntries(names.map((name) => [name, (...args: readonly unknown[]) => calls.call(object, name, ...args)]));
}

/** A shared folder of another thread. */
function remoteFolder(calls: Calls, object: number): SharedFolder {
  const methods = methodsOf(calls, object, Object.keys(FOLDER_METHODS));
  const opening = Object.entries(FOLDER_METHODS).filter(([, { opens }]) => opens).map(([name]) => [
    name,
    (...args: readonly unknown[]) => remoteFile(calls, methods[name](...args) as number),
  ]);
  return { ...methods, ...Object.fromEntries(opening) } as unknown as SharedFolder;
}

/** An open file of such a folder. */
function remoteFile(calls: Calls, object: number): FolderFile {
  const read = (offset: number, into: Uint8Array) => {
    const wanted = into.subarray(0, PIECE);
    return calls.read(wanted, object, "read", offset, wanted.length);
  };
  return { ...methodsOf(calls, object, Object.keys(FILE_METHODS)), read } as unknown as FolderFile;
}
