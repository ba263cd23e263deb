// Files that a flag or argument names: read, written at once, or written piece by piece.

import { Failure } from "./failure.ts";
import { cannotRead, cannotWrite, readToEnd } from "../../../kit/support/files/named-file.ts";
import { WholeFile, type WholeOptions, writeWhole } from "../../../kit/support/files/whole-file.ts";

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

/**
 * A file with the pieces that `work` writes; without all of them it stays as it was.
 * @param command for the message if it cannot be written
 * @returns its bytes
 * @throws Failure
 */
export async function writtenFile(
  command: string,
  path: string,
  work: (write: (piece: Uint8Array) => void) => Promise<void>,
): Promise<number> {
  let bytes = 0;
  try {
    using file = new WholeFile(path);
    await work((piece) => {
      file.write(piece);
      bytes += piece.length;
    });
    file.commit();
    return bytes;
  } catch (error) {
    if (error instanceof Failure) throw error;
    throw new Failure(cannotWrite(error, `${command} ${path}`));
  }
}
