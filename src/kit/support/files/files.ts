// Files that a machine writes besides its disks: snapshots, recordings, logs, captures, the cache.
// A thread without rights lets another act for it (`useFiles`).

import { cacheFolder, keepNewest } from "./cache.ts";
import { type Maker, thisMaker } from "./maker.ts";
import { checkTrustedFolder } from "./own-files.ts";
import { stateFolder } from "./state-folder.ts";
import type { SyncWriter } from "./write-all.ts";
import { begun, WholeFile, type WholeOptions, writeWhole } from "./whole-file.ts";
import { node } from "../node-modules.ts";

/** A file that has its name, and grows. */
export interface GrowingFile extends SyncWriter {
  close(): void;
}

/** A file that gets its name when it is complete (`whole-file.ts`). */
export interface PendingFile extends SyncWriter, Disposable {
  write(bytes: Uint8Array): void;
  commit(): void;
}

/** How a whole file is made. */
interface KeptOptions extends Pick<WholeOptions, "durable" | "onlyFile"> {
  /** For a file of a cache: creates its folder, and keeps this many of the newest files there. */
  readonly newest?: number;
  /** With `newest`: and of these at most this many bytes. */
  readonly newestBytes?: number;
}

/** Access to files. Errors are the system's. */
export interface Files {
  whole(path: string, options?: KeptOptions): PendingFile;
  /** A file that gets its name when it has its start. */
  begun(path: string, start: Uint8Array): GrowingFile;
  /** Keeps a file of a recording in the cache, by its SHA-256 in hexadecimal digits. */
  store(sha256: string, bytes: Uint8Array): void;
  /**
   * Makes room for a report of a bug: returns the path of its files without their endings;
   * undefined if the environment names no folder for it.
   */
  report(): string | undefined;
  /** This el2, for headers of files. */
  maker(): Maker;
}

/** Files with the rights of this thread. */
export const OWN_FILES: Files = {
  whole: (path, options) => wholeFile(path, options),
  begun: (path, start) => begun(path, start),
  store(sha256, bytes) {
    const path = storedFile(sha256);
    Deno.mkdirSync(node.path.dirname(path), { recursive: true, mode: 0o700 });
    if (!node.fs.existsSync(path)) writeWhole(path, bytes);
  },
  report: () => reportIn(stateFolder("bugs")),
  maker: thisMaker,
};

let current = OWN_FILES;

/** The files of this thread. */
export function files(): Files {
  return current;
}

/** From now on this thread uses these files. */
export function useFiles(others: Files): void {
  current = others;
}

/** Where the cache keeps a file of recordings. */
export function storedFile(sha256: string): string {
  return `${cacheFolder()}/recorded/${sha256}`;
}

/** `Files.report` in a folder. */
export function reportIn(folder: string | undefined, now = new Date()): string | undefined {
  if (folder === undefined) return undefined;
  Deno.mkdirSync(folder, { recursive: true, mode: 0o700 });
  return `${folder}/bug-${now.toISOString().replaceAll(/[:.]/g, "-")}`;
}

/** Writes a file of a cache. A power failure may lose it: it can be made again. */
export function writeCached(path: string, bytes: Uint8Array, newest: number, newestBytes?: number): void {
  using file = files().whole(path, { durable: false, newest, newestBytes });
  file.write(bytes);
  file.commit();
}

function wholeFile(path: string, { durable, newest, newestBytes, onlyFile }: KeptOptions = {}): PendingFile {
  const folder = node.path.dirname(path);
  if (newest !== undefined) {
    Deno.mkdirSync(folder, { recursive: true, mode: 0o700 });
    checkTrustedFolder(folder);
  }
  const file = new WholeFile(path, { durable, onlyFile });
  if (newest === undefined) return file;
  return {
    writeSync: (bytes) => file.writeSync(bytes),
    write: (bytes) => file.write(bytes),
    commit() {
      file.commit();
      keepNewest(folder, newest, newestBytes);
    },
    [Symbol.dispose]: () => file[Symbol.dispose](),
  };
}
