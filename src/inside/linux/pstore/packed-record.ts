// A compressed record of pstore. Its header says that it is packed, and not how: until Linux 6.6
// the parameter pstore.compress chose deflate, lzo, lz4, lz4hc, zstd or 842; since then it is
// always deflate. So the bytes have to show it. 842 is not read.

import { unpackLz4 } from "../../../kit/formats/lz4.ts";
import { unpackLzo } from "../../../kit/formats/lzo.ts";
import { PackedError } from "../../../kit/formats/unpacking.ts";
import { node } from "../../../kit/support/node-modules.ts";
import { KiB } from "../../../kit/support/values/sizes.ts";
import type { Work } from "../../../kit/support/values/work.ts";

/** The first line of a dump: its reason and its part. */
export const PART = /^[A-Z]\w{2,15}#\d{1,9} Part(\d{1,9})$/;
/** The same where lz4 and lzo have it as it is: after the bytes of its length. */
const LITERAL_PART = /^[^]{1,3}?[A-Z]\w{2,15}#\d{1,9} Part\d/;
const FIRST_LINE = 48, BYTE_TEXT = new TextDecoder("latin1");
const beginningOf = (bytes: Uint8Array) => BYTE_TEXT.decode(bytes.subarray(0, FIRST_LINE));
/** The magic at the start of a frame of zstd. */
const ZSTD = [0x28, 0xb5, 0x2f, 0xfd];
/** Bytes that a record may become: a log does not shrink to a thirtieth. */
const UNPACKED_LEAST = 64 * KiB, UNPACKED_FACTOR = 32;
/** Unpacked bytes that are one step. */
const BYTES = 64;

/** The text of a record; undefined if it is not whole, or not compressed in one of these ways. */
export function unpackedRecord(packed: Uint8Array, work: Work): Uint8Array | undefined {
  const most = UNPACKED_LEAST + UNPACKED_FACTOR * packed.length, bytes = unpacked(packed, most);
  // A stream may be refused at its last byte.
  work.spend((bytes?.length ?? most) / BYTES | 0);
  return bytes;
}

function unpacked(packed: Uint8Array, most: number): Uint8Array | undefined {
  if (ZSTD.every((byte, at) => packed[at] === byte)) return byNode(() => node.zlib.zstdDecompressSync(packed, { maxOutputLength: most }));
  if (!LITERAL_PART.test(beginningOf(packed))) {
    return byNode(() => node.zlib.inflateRawSync(packed, { maxOutputLength: most }));
  }
  for (const unpack of [unpackLz4, unpackLzo]) {
    const text = literally(unpack, packed, most);
    if (text && PART.test(beginningOf(text).split("\n")[0])) return text;
  }
}

function byNode(unpack: () => Uint8Array): Uint8Array | undefined {
  try {
    const bytes = unpack();
    // Of a part of a frame of zstd there is nothing, and no error.
    return bytes.length > 0 ? bytes : undefined;
  } catch (error) {
    // Those of zlib have a code, those of zstd have not.
    if (error instanceof Error && ("code" in error || error.constructor === Error)) return undefined;
    throw error;
  }
}

function literally(unpack: typeof unpackLz4, packed: Uint8Array, most: number): Uint8Array | undefined {
  const into = new Uint8Array(most);
  try {
    return into.subarray(0, unpack(packed, into));
  } catch (error) {
    if (error instanceof PackedError) return undefined;
    throw error;
  }
}
