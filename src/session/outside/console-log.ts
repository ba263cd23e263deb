// A console as a file, from its first byte: a file that is full becomes NAME.1, that one NAME.2,
// and so on. A guest may share the log's folder, and put links in its place.

import { lstatIfThere } from "../../kit/support/files/own-files.ts";
import { begun, type WholeFile } from "../../kit/support/files/whole-file.ts";
import { writeAll, WriteFailure } from "../../kit/support/files/write-all.ts";
import { MiB } from "../../kit/support/values/sizes.ts";

const LARGEST = 16 * MiB;
const KEPT = 3;

/** How a log's files are made. */
export interface LogFiles {
  /** Its path is a place: no link is followed. */
  readonly isPlace?: boolean;
  readonly largest?: number;
  readonly kept?: number;
  /** Whether the session may make a file at the path, asked for each new one. */
  readonly allowed?: () => boolean;
}

export class ConsoleLog {
  readonly #largest: number;
  readonly #kept: number;
  readonly #allowed: () => boolean;
  #file: WholeFile | undefined;
  #size = 0;
  #failed: string | undefined;

  /** Begins a new log, or fails: see `failed`. It replaces an existing one. */
  constructor(readonly path: string, { isPlace = false, largest = LARGEST, kept = KEPT, allowed = () => true }: LogFiles = {}) {
    [this.#largest, this.#kept, this.#allowed] = [largest, kept, allowed];
    this.#try(() => this.#file = begun(path, undefined, { durable: false, isPlace }));
  }

  /** Once writing has failed, such as on a full disk: the path, the reason and the remedy. */
  get failed(): string | undefined {
    return this.#failed;
  }

  /** Writes, or gives up for good: see `failed`. */
  write(bytes: Uint8Array): void {
    this.#try(() => {
      if (!this.#file) return;
      if (this.#size > 0 && this.#size + bytes.length > this.#largest) this.#file = this.#rotated(this.#file);
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

  #rotated(full: WholeFile): WholeFile {
    this.#size = 0;
    // A terminal or a pipe is never full.
    if (!full.isFile) return full;
    if (!this.#allowed()) throw new Error("it is no longer the file that the session was given");
    for (let number = this.#kept - 1; number > 0; number--) {
      const from = number === 1 ? this.path : `${this.path}.${number - 1}`;
      if (lstatIfThere(from)) Deno.renameSync(from, `${this.path}.${number}`);
    }
    // Links are renamed and never followed: neither does a new file follow one.
    const next = begun(this.path, undefined, { durable: false, fresh: true });
    full.close();
    return next;
  }
}
