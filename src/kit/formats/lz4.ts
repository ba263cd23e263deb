// A block of LZ4, as pstore packs its records (lz4/lz4, doc/lz4_Block_format.md): literal bytes,
// then a copy of bytes that were written before, and so on.

import { Unpacking } from "./unpacking.ts";

/** A field of a length that continues in the next bytes. */
const LONG = 15;
/** Bytes of a copy, at least. */
const COPY_LEAST = 4;

/**
 * Unpacks a block; how many bytes it has.
 * @throws PackedError where it is none, or has more than there is room for
 */
export function unpackLz4(packed: Uint8Array, into: Uint8Array): number {
  const stream = new Unpacking(packed, into);
  /** A length whose field is full continues in the next bytes, up to one that is not. */
  const length = (field: number): number => {
    let sum = field;
    for (let more = field === LONG ? 255 : 0; more === 255;) sum += more = stream.byte();
    return sum;
  };
  for (;;) {
    const token = stream.byte();
    stream.literals(length(token >>> 4));
    // The last sequence ends here.
    if (stream.isAtEnd) return stream.written;
    const distance = stream.byte() | stream.byte() << 8;
    stream.copy(distance, COPY_LEAST + length(token & LONG));
  }
}
