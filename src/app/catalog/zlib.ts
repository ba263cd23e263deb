// gzip and zstd as they come in pieces, by Node's zlib.

import { pipeline } from "node:stream";
import zlib from "node:zlib";
import { type ReadAt, zstdParts } from "../../kit/formats/zstd.ts";
import { KiB } from "../../kit/support/values/sizes.ts";

/** Bytes of a read of packed data, which is read in steps of a few bytes. */
const WINDOW = 256 * KiB;

/**
 * The decompressed bytes.
 * @throws Error if they are damaged or truncated
 */
export function ungzip(packed: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  return pipeline(packed, zlib.createGunzip(), () => {});
}

/**
 * The decompressed bytes.
 *
 * Where the output of a write does not fit, Deno continues in a later turn, and an error there ends
 * the process. So a write has one block, which is found damaged at once, and a checksum alone,
 * which has no output.
 * @param readAt the packed bytes from an offset on, fewer at their end
 * @throws Error if they are damaged or truncated
 */
export function unzstd(readAt: ReadAt): AsyncIterable<Uint8Array> {
  let start = 0, window = new Uint8Array();
  const within = (offset: number, size: number) => {
    if (offset < start || offset + size > start + window.length) {
      [start, window] = [offset, new Uint8Array(readAt(offset, Math.max(size, WINDOW)))];
    }
    return window.subarray(offset - start, offset - start + size);
  };
  return pipeline(zstdParts(within), zlib.createZstdDecompress(), () => {});
}
