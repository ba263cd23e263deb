// A console as a file, from its first byte: a file that is full becomes NAME.1, that one NAME.2, and so on.

import { writeAll } from "../write-all.ts";

const LARGEST = 16 * 1024 * 1024;
const KEPT = 3;

/** The log of one console. */
export class ConsoleLog {
  #file: Deno.FsFile;
  #size = 0;
  /** Why nothing is written any more, once that is so: the disk is full, the folder is gone. */
  failed: string | undefined;

  /** Begins a new log. @throws where the file cannot be written. */
  constructor(readonly path: string, readonly largest = LARGEST, readonly kept = KEPT) {
    this.#file = open(path);
  }

  /** Writes, or gives up for good: see `failed`. */
  write(bytes: Uint8Array): void {
    if (this.failed !== undefined) return;
    try {
      if (this.#size > 0 && this.#size + bytes.length > this.largest) this.#rotate();
      writeAll(this.#file, bytes, this.path);
      this.#size += bytes.length;
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      this.failed = error.message;
    }
  }

  close(): void {
    this.#file.close();
  }

  #rotate(): void {
    for (let number = this.kept - 1; number > 0; number--) {
      const from = number === 1 ? this.path : `${this.path}.${number - 1}`;
      if (exists(from)) Deno.renameSync(from, `${this.path}.${number}`);
    }
    const next = open(this.path);
    this.#file.close();
    this.#file = next;
    this.#size = 0;
  }
}

function open(path: string): Deno.FsFile {
  return Deno.openSync(path, { write: true, create: true, truncate: true, mode: 0o600 });
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
