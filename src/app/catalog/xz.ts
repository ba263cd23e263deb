// xz, without the program xz.

import xz from "xz-decompress";

const DAMAGED = "the xz data is truncated or damaged";

/** Refusals of XZ Embedded by their numbers; all others are damage. */
const REFUSALS: Readonly<Record<string, string>> = {
  // The size it was built for; it allocates no more.
  4: "the xz data needs a dictionary of more than 64 MiB; pack it with xz -9 or less",
  6: "the xz data has filters or a dictionary that el2 does not unpack; pack it with xz -9 or less",
};

/**
 * The decompressed bytes.
 * @throws Error if they are damaged or truncated, or need a dictionary of more than 64 MiB
 */
export async function* unxz(packed: AsyncIterable<Uint8Array<ArrayBuffer>>): AsyncGenerator<Uint8Array> {
  const reader = new xz.XzReadableStream(ReadableStream.from(notEmpty(packed))).getReader();
  let ended = false;
  try {
    for (let next = await reader.read(); !next.done; next = await reader.read()) yield next.value;
    ended = true;
  } catch (error) {
    ended = true;
    const code = error instanceof Error ? /^get_next_output failed with error code (\d+)$/.exec(error.message)?.[1] : undefined;
    if (code === undefined) throw error;
    throw new Error(REFUSALS[code] ?? DAMAGED);
  } finally {
    if (!ended) await abandon(reader);
  }
}

/** Ends decompression whose reader has left: the next one waits for that. */
async function abandon(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
  try {
    await reader.cancel();
  } catch (error) {
    // The decompressor has ended already, and has no context any more; its last piece was not read.
    if (!(error instanceof TypeError)) throw error;
  }
}

/** The decompressor expects bytes before the end. */
async function* notEmpty(packed: AsyncIterable<Uint8Array<ArrayBuffer>>): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  let size = 0;
  for await (const piece of packed) {
    size += piece.length;
    yield piece;
  }
  if (size === 0) throw new Error(DAMAGED);
}
