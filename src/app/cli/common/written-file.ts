// Files that commands write piece by piece.

import { Failure } from "./failure.ts";
import { cannotWrite } from "../../../kit/support/files/named-file.ts";
import { WholeFile } from "../../../kit/support/files/whole-file.ts";

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
