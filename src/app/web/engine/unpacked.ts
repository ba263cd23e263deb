// Files of a run in a page, unpacked by the browser itself: that takes a third of the time of a
// program's own code, and a Debian has 40 MiB of them.

import { UserError } from "../../../kit/support/problem.ts";
import { joined } from "../../../kit/support/values/bytes.ts";
import { formatSize } from "../../../kit/support/text/units.ts";

/** Taken before the worker gives up its services. */
const Unpacking = globalThis.DecompressionStream;

/**
 * Unpacks a file that is compressed by gzip.
 * @param most bytes that it may have
 * @throws UserError if it is damaged or larger
 */
export async function unpacked(name: string, packed: Uint8Array<ArrayBuffer>, most: number): Promise<Uint8Array<ArrayBuffer>> {
  const stream = new Unpacking("gzip"), writer = stream.writable.getWriter(), pieces: Uint8Array[] = [];
  // The reader gets the writer's error, too.
  writer.write(packed).then(() => writer.close()).catch(() => {});
  let size = 0;
  try {
    for await (const piece of stream.readable) {
      size += piece.length;
      if (size > most) break;
      pieces.push(piece);
    }
  } catch {
    throw new UserError(`${name} is damaged after ${size} bytes`, "load the page again");
  }
  if (size > most) throw new UserError(`${name} has more than ${formatSize(most)}`);
  return joined(pieces);
}
