// Protocol Buffers' wire format, the part that writes messages
// (protobuf.dev/programming-guides/encoding).

import { Bytes } from "../support/bytes.ts";

const WireType = { Varint: 0, Bytes: 2 } as const;
const SEVEN_BITS = 0x7fn;

/**
 * A field's value: whole numbers as varints, text, messages, and repeated ones. Undefined is not
 * written.
 */
export type Field = number | bigint | boolean | string | Message | readonly Field[] | undefined;

/** A message: fields by number, in the order of writing. */
export type Message = ReadonlyMap<number, Field>;

/** A message of [number, value] pairs. */
export function message(...fields: readonly (readonly [number, Field])[]): Message {
  return new Map(fields);
}

export function encodeMessage(fields: Message): Uint8Array<ArrayBuffer> {
  const bytes = new Bytes();
  for (const [number, value] of fields) putField(bytes, number, value);
  return bytes.view.slice();
}

function putField(bytes: Bytes, number: number, value: Field): void {
  if (value === undefined) return;
  if (typeof value === "string") return putBytes(bytes, number, new TextEncoder().encode(value));
  if (value instanceof Map) return putBytes(bytes, number, encodeMessage(value));
  if (Array.isArray(value)) {
    for (const one of value) putField(bytes, number, one);
    return;
  }
  putVarint(bytes, BigInt(number << 3 | WireType.Varint));
  putVarint(bytes, BigInt.asUintN(64, BigInt(value as number | bigint | boolean)));
}

function putBytes(bytes: Bytes, number: number, value: Uint8Array): void {
  putVarint(bytes, BigInt(number << 3 | WireType.Bytes));
  putVarint(bytes, BigInt(value.length));
  bytes.pushAll(value);
}

function putVarint(bytes: Bytes, value: bigint): void {
  let rest = value;
  for (; rest > SEVEN_BITS; rest >>= 7n) bytes.push(Number(rest & SEVEN_BITS) | 0x80);
  bytes.push(Number(rest));
}
