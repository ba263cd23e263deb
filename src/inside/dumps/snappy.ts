// Snappy, as makedumpfile packs pages (the stream: google/snappy, format_description.txt): the
// size, then literal bytes and copies of bytes that were written before.

import { PackedError, Unpacking } from "../../kit/formats/unpacking.ts";

/** The low two bits of an element. */
const Element = { literal: 0, near: 1, far: 2, farthest: 3 } as const;
/** Lengths of literals above this one are in the next bytes: 1 to 4 of them. */
const SHORT = 60;
/** Bytes of the size at the start of a stream. */
const SIZE_BYTES = 5;

/**
 * Unpacks a stream; how many bytes it has.
 * @throws PackedError where it is none, or has another size than there is room for
 */
export function unpackSnappy(packed: Uint8Array, into: Uint8Array): number {
  const stream = new Unpacking(packed, into);
  const number = (bytes: number): number => {
    let value = 0;
    for (let index = 0; index < bytes; index++) value += stream.byte() * 2 ** (8 * index);
    return value;
  };
  let size = 0;
  for (let index = 0, byte = 0x80; byte & 0x80; index++) {
    if (index === SIZE_BYTES) throw new PackedError("the size at its start has no end");
    byte = stream.byte();
    size += (byte & 0x7f) * 2 ** (7 * index);
  }
  if (size !== into.length) throw new PackedError(`${size} bytes, not ${into.length}`);
  while (!stream.isAtEnd) {
    const tag = stream.byte(), length = tag >>> 2;
    switch (tag & 3) {
      case Element.literal:
        stream.literals(1 + (length < SHORT ? length : number(length - SHORT + 1)));
        break;
      case Element.near:
        stream.copy(tag >>> 5 << 8 | stream.byte(), 4 + (length & 7));
        break;
      case Element.far:
        stream.copy(number(2), 1 + length);
        break;
      case Element.farthest:
        stream.copy(number(4), 1 + length);
        break;
    }
  }
  return stream.written;
}
