// Snappy, as makedumpfile packs pages (the stream: google/snappy, format_description.txt): the
// size, then literal bytes and copies of bytes that were written before.

import { PackedError } from "./file-memory.ts";

/** The low two bits of an element. */
const Element = { literal: 0, near: 1, far: 2, farthest: 3 } as const;
/** Lengths of literals above this one are in the next bytes: 1 to 4 of them. */
const SHORT = 60;
/** Bytes of the size at the start of a stream. */
const SIZE_BYTES = 5;

/**
 * Fills `into` with the unpacked bytes.
 * @throws PackedError where they do not fill it exactly
 */
export function unpackSnappy(packed: Uint8Array, into: Uint8Array): void {
  let at = 0, written = 0;
  const number = (bytes: number): number => {
    if (at + bytes > packed.length) throw new PackedError(`the stream ends inside of an element at byte ${at}`);
    let value = 0;
    for (let index = 0; index < bytes; index++) value += packed[at++] * 2 ** (8 * index);
    return value;
  };
  const copyLiterals = (count: number) => {
    if (at + count > packed.length || written + count > into.length) {
      throw new PackedError(`${count} literal bytes at byte ${at} are too many`);
    }
    into.set(packed.subarray(at, at + count), written);
    at += count;
    written += count;
  };
  const copyWritten = (distance: number, count: number) => {
    if (distance === 0 || distance > written || written + count > into.length) {
      throw new PackedError(`a copy of ${count} bytes from ${distance} before, at byte ${at}`);
    }
    // It may reach into what it writes itself.
    for (const end = written + count; written < end; written++) into[written] = into[written - distance];
  };
  let size = 0;
  for (let index = 0, byte = 0x80; byte & 0x80; index++) {
    if (index === SIZE_BYTES) throw new PackedError("the size at its start has no end");
    byte = number(1);
    size += (byte & 0x7f) * 2 ** (7 * index);
  }
  if (size !== into.length) throw new PackedError(`${size} bytes, not ${into.length}`);
  while (at < packed.length) {
    const tag = packed[at++], length = tag >>> 2;
    switch (tag & 3) {
      case Element.literal:
        copyLiterals(1 + (length < SHORT ? length : number(length - SHORT + 1)));
        break;
      case Element.near:
        copyWritten(tag >>> 5 << 8 | number(1), 4 + (length & 7));
        break;
      case Element.far:
        copyWritten(number(2), 1 + length);
        break;
      case Element.farthest:
        copyWritten(number(4), 1 + length);
        break;
    }
  }
  if (written !== into.length) throw new PackedError(`${written} bytes, not ${into.length}`);
}
