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
  try {
    yield* new xz.XzReadableStream(ReadableStream.from(notEmpty(packed)));
  } catch (error) {
    const code = error instanceof Error ? /^get_next_output failed with error code (\d+)$/.exec(error.message)?.[1] : undefined;
    if (code === undefined) throw error;
    throw new Error(REFUSALS[code] ?? DAMAGED);
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
