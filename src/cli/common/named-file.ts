// Files that a flag or argument names.

import { Failure } from "./failure.ts";
import { cannotRead, readToEnd } from "../../support/named-file.ts";

/** Reads a file that a flag or argument names. Throws a Failure that names both. */
export function readNamedFile(path: string, what: string): Uint8Array<ArrayBuffer> {
  try {
    return readToEnd(path);
  } catch (error) {
    throw new Failure(cannotRead(error, `${what} ${path}`));
  }
}
