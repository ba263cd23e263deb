// xz, without the program xz.

import xz from "xz-decompress";

/** The decompressed bytes. @throws Error if they are damaged or truncated */
export async function* unxz(packed: AsyncIterable<Uint8Array<ArrayBuffer>>): AsyncGenerator<Uint8Array> {
  yield* new xz.XzReadableStream(ReadableStream.from(packed));
}
