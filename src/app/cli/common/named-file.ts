// Files that a flag or argument names.

import { Failure } from "./failure.ts";
import { cannotRead, cannotWrite, readToEnd } from "../../../kit/support/files/named-file.ts";
import { type WholeOptions, writeWhole } from "../../../kit/support/files/whole-file.ts";

/** Reads a file that a flag or argument names. Throws a Failure that names both. */
export function readNamedFile(path: string, what: string): Uint8Array<ArrayBuffer> {
  try {
    return readToEnd(path);
  } catch (error) {
    throw new Failure(cannotRead(error, `${what} ${path}`));
  }
}

/** Writes a file that a flag or argument names. Throws a Failure that names both. */
export function writeNamedFile(path: string, what: string, content: Uint8Array | string, options?: WholeOptions): void {
  try {
    writeWhole(path, content, options);
  } catch (error) {
    throw new Failure(cannotWrite(error, `${what} ${path}`));
  }
}
