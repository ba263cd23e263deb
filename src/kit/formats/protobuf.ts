// Protocol Buffers' wire format, the part that writes messages
// (protobuf.dev/programming-guides/encoding).

import type { Bytes } from "../support/values/bytes.ts";

const WireType = { Varint: 0, Bytes: 2 } as const;
/** Bytes of a message's size, which is known after the message: a varint may have leading zeros. */
const SIZE_BYTES = 4;

/** Appends a number below 2^53, or nothing for undefined. */
export function putNumber(bytes: Bytes, field: number, value: number | undefined): void {
  if (value === undefined) return;
  bytes.unsigned(field << 3 | WireType.Varint);
  bytes.unsigned(value);
}

/** Appends a text, or nothing for undefined. */
export function putText(bytes: Bytes, field: number, value: string | undefined): void {
  if (value === undefined) return;
  bytes.unsigned(field << 3 | WireType.Bytes);
  bytes.text(value);
}

/** Begins a message, whose fields follow until `endMessage`; returns its place. */
export function beginMessage(bytes: Bytes, field: number): number {
  bytes.unsigned(field << 3 | WireType.Bytes);
  return bytes.room(SIZE_BYTES);
}

/** @throws for a message of 2^28 bytes or more */
export function endMessage(bytes: Bytes, place: number): void {
  const size = bytes.length - place - SIZE_BYTES, { buffer } = bytes;
  if (size >= 1 << 7 * SIZE_BYTES) throw new Error(`a message of ${size} bytes`);
  for (let index = 0; index < SIZE_BYTES; index++) {
    buffer[place + index] = size >> 7 * index & 0x7f | (index < SIZE_BYTES - 1 ? 0x80 : 0);
  }
}
