// A console as a file, from its first byte: a file that is full becomes NAME.1, that one NAME.2,
// and so on.

import { writeAll, WriteFailure } from "../support/write-all.ts";
import { MiB } from "../support/sizes.ts";

const LARGEST = 16 * MiB;
const KEPT = 3;

export class ConsoleLog {
  #file: Deno.FsFile | undefined;
  #size = 0;
  #failed: string | undefined;

  /** Begins a new log, or fails: see `failed`. `open` empties an existing one. */
  constructor(readonly path: string, readonly largest = LARGEST, readonly kept = KEPT, readonly open = openNamed) {
    this.#try(() => this.#file = open(path));
  }

  /** Once writing has failed, such as on a full disk: the path, the reason and the remedy. */
  get failed(): string | undefined {
    return this.#failed;
  }

  /** Writes, or gives up for good: see `failed`. */
  write(bytes: Uint8Array): void {
    this.#try(() => {
      if (!this.#file) return;
      if (this.#size > 0 && this.#size + bytes.length > this.largest) this.#file = this.#rotated(this.#file);
      writeAll(this.#file, bytes, this.path);
      this.#size += bytes.length;
    });
  }

  close(): void {
    this.#file?.close();
    this.#file = undefined;
  }

  /** A console is worth more than its log: that ends at the first failure. */
  #try(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      this.#failed = error instanceof WriteFailure ? error.message : `${this.path}: ${error.message}; name a writable file`;
      this.close();
    }
  }

  #rotated(full: Deno.FsFile): Deno.FsFile {
    for (let number = this.kept - 1; number > 0; number--) {
      const from = number === 1 ? this.path : `${this.path}.${number - 1}`;
      if (exists(from)) Deno.renameSync(from, `${this.path}.${number}`);
    }
    const next = this.open(this.path);
    full.close();
    this.#size = 0;
    return next;
  }
}

/** Opens a file that the user has named, of any kind. */
function openNamed(path: string): Deno.FsFile {
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
