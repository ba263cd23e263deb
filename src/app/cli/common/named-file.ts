// Files that a flag or argument names: read, written at once, or written piece by piece.

import { Failure } from "./failure.ts";
import { outputBytes } from "./print.ts";
import { cannotRead, cannotWrite, readToEnd } from "../../../kit/support/files/named-file.ts";
import { checkWritable, WholeFile, type WholeOptions } from "../../../kit/support/files/whole-file.ts";

/** A pipe or device may be refused. */
type NamedOptions = Pick<WholeOptions, "onlyFile">;

/** Reads a file that a flag or argument names. Throws a Failure that names both. */
export function readNamedFile(path: string, what: string): Uint8Array<ArrayBuffer> {
  try {
    return readToEnd(path);
  } catch (error) {
    throw new Failure(cannotRead(error, `${what} ${path}`));
  }
}

/** Writes a file that a flag or argument names. Throws a Failure that names both. */
export function writeNamedFile(path: string, what: string, content: Uint8Array | string): void {
  using file = new NamedFile(path, what);
  file.end(content);
}

/**
 * Checks the name of a file that another program or thread writes.
 * @throws Failure that names it
 */
export function checkNamedFile(path: string, what: string, options: NamedOptions = {}): void {
  writing(`${what} ${path}`, () => checkWritable(path, options));
}

/**
 * The result of work that makes or writes a file.
 * @throws Failure that names it
 */
export function writing<T>(name: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw new Failure(cannotWrite(error, name));
  }
}

/** Names of this program's standard output. */
const STDOUT: ReadonlySet<string> = new Set(["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"]);

/**
 * A file that a flag or argument names. It is made before the work that fills it, so that an error
 * in its name is told first; until it is whole, an older one stays. All methods throw a Failure
 * that names it.
 */
export class NamedFile implements Disposable {
  readonly #name: string;
  /** Undefined for the standard output. */
  readonly #file: WholeFile | undefined;
  /** Bytes that were written. */
  bytes = 0;

  constructor(readonly path: string, what: string, options: NamedOptions = {}) {
    this.#name = `${what} ${path}`;
    if (options.onlyFile || !STDOUT.has(path)) this.#file = writing(this.#name, () => new WholeFile(path, options));
  }

  write(content: Uint8Array | string): void {
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content, file = this.#file;
    if (!file) outputBytes(bytes);
    else writing(this.#name, () => file.write(bytes));
    this.bytes += bytes.length;
  }

  /** Writes into a regular file, which has zeros between its pieces. */
  writeAt(offset: number, bytes: Uint8Array): void {
    writing(this.#name, () => this.#file?.file.seekSync(offset, Deno.SeekMode.Start));
    this.write(bytes);
  }

  /** Gives it its name, with a last piece or another size. */
  end(last?: Uint8Array | string, size?: number): void {
    if (last !== undefined) this.write(last);
    writing(this.#name, () => {
      if (size !== undefined) this.#file?.file.truncateSync(size);
      this.#file?.commit();
    });
  }

  /** Without `end` no file is left. */
  [Symbol.dispose](): void {
    this.#file?.[Symbol.dispose]();
  }
}
