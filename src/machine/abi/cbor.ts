// The part of CBOR (RFC 8949) that the root VM's environment is written in: unsigned integers,
// texts, booleans, arrays and maps with text keys, all of definite length. Anything else is
// refused, as the Resource Manager's decoder refuses it.

import { Bytes } from "../../kit/support/values/bytes.ts";

/** A decoded item. Unsigned integers are bigint, as capability ids use all 64 bits. */
export type CborValue = bigint | string | boolean | CborValue[] | { [key: string]: CborValue };

/**
 * Input of the encoder: like `CborValue`, but numbers (non-negative integers) stand for unsigned
 * integers too.
 */
export type CborInput = number | bigint | string | boolean | readonly CborInput[] | { readonly [key: string]: CborInput };

/** The item, or the defect and its byte offset. */
type CborResult = { ok: true; value: CborValue } | { ok: false; problem: string; offset: number };

const MajorType = { Unsigned: 0, Text: 3, Array: 4, Map: 5, Simple: 7 } as const;
const FALSE = 20;
const TRUE = 21;
/** Nesting at which decoding stops; the environment has three levels. */
const MAX_DEPTH = 8;

/**
 * Encodes an item with lengths and integers in their shortest form.
 * @throws RangeError for a negative or fractional number.
 */
export function encodeCbor(input: CborInput): Uint8Array {
  const bytes = new Bytes();
  append(bytes, input);
  return bytes.view.slice();
}

function append(bytes: Bytes, input: CborInput): void {
  if (typeof input === "number" || typeof input === "bigint") {
    head(bytes, MajorType.Unsigned, BigInt(input));
  } else if (typeof input === "boolean") {
    bytes.push(MajorType.Simple << 5 | (input ? TRUE : FALSE));
  } else if (typeof input === "string") {
    const text = new TextEncoder().encode(input);
    head(bytes, MajorType.Text, BigInt(text.length));
    bytes.pushAll(text);
  } else if (isList(input)) {
    head(bytes, MajorType.Array, BigInt(input.length));
    for (const item of input) append(bytes, item);
  } else {
    const entries = Object.entries(input);
    head(bytes, MajorType.Map, BigInt(entries.length));
    for (const [key, value] of entries) {
      append(bytes, key);
      append(bytes, value);
    }
  }
}

function isList(input: readonly CborInput[] | { readonly [key: string]: CborInput }): input is readonly CborInput[] {
  return Array.isArray(input);
}

function head(bytes: Bytes, type: number, argument: bigint): void {
  if (argument < 0n || argument >= 1n << 64n) throw new RangeError(`${argument} is not an unsigned 64-bit integer`);
  if (argument < 24n) {
    bytes.push(type << 5 | Number(argument));
    return;
  }
  const width = argument < 1n << 8n ? 0 : argument < 1n << 16n ? 1 : argument < 1n << 32n ? 2 : 3;
  bytes.push(type << 5 | 24 + width);
  for (let shift = (8 << width) - 8; shift >= 0; shift -= 8) bytes.push(Number(argument >> BigInt(shift) & 0xffn));
}

/** Carries the problem out of nested decoding; never leaves this file. */
class Malformed extends Error {
  constructor(readonly problem: string, readonly offset: number) {
    super(problem);
  }
}

/** Decodes exactly one item that fills `bytes`. */
export function decodeCbor(bytes: Uint8Array): CborResult {
  const decoder = new Decoder(bytes);
  try {
    const value = decoder.item(0);
    if (decoder.offset !== bytes.length) throw new Malformed("bytes follow the item", decoder.offset);
    return { ok: true, value };
  } catch (error) {
    if (error instanceof Malformed) return { ok: false, problem: error.problem, offset: error.offset };
    throw error;
  }
}

class Decoder {
  offset = 0;
  constructor(private readonly bytes: Uint8Array) {}

  item(depth: number): CborValue {
    if (depth > MAX_DEPTH) throw new Malformed("items are nested too deeply", this.offset);
    const start = this.offset;
    const initial = this.byte();
    const type = initial >> 5;
    if (type === MajorType.Simple) {
      if ((initial & 0x1f) !== FALSE && (initial & 0x1f) !== TRUE) throw new Malformed("a simple value is not a boolean", start);
      return (initial & 0x1f) === TRUE;
    }
    const argument = this.argument(initial & 0x1f, start);
    switch (type) {
      case MajorType.Unsigned:
        return argument;
      case MajorType.Text:
        return this.text(this.length(argument, start));
      case MajorType.Array:
        return Array.from({ length: this.length(argument, start) }, () => this.item(depth + 1));
      case MajorType.Map: {
        const map: { [key: string]: CborValue } = Object.create(null);
        for (let left = this.length(argument, start); left > 0; left--) {
          const key = this.item(depth + 1);
          if (typeof key !== "string") throw new Malformed("a key is not text", start);
          map[key] = this.item(depth + 1);
        }
        return map;
      }
      default:
        throw new Malformed(`major type ${type} is not supported`, start);
    }
  }

  private byte(): number {
    if (this.offset >= this.bytes.length) throw new Malformed("the item ends early", this.offset);
    return this.bytes[this.offset++];
  }

  private argument(low: number, start: number): bigint {
    if (low < 24) return BigInt(low);
    if (low > 27) throw new Malformed("an item of indefinite length is not supported", start);
    let value = 0n;
    for (let left = 1 << low - 24; left > 0; left--) value = value << 8n | BigInt(this.byte());
    return value;
  }

  /**
   * Every element takes a byte at least, so a count beyond the input is refused before anything is
   * allocated.
   */
  private length(argument: bigint, start: number): number {
    if (argument > BigInt(this.bytes.length - this.offset)) throw new Malformed("the item ends early", start);
    return Number(argument);
  }

  private text(length: number): string {
    const text = new TextDecoder().decode(this.bytes.subarray(this.offset, this.offset + length));
    this.offset += length;
    return text;
  }
}
