// The blueprint of a core as a file: eight bytes of magic, a hash of the rest (a float of eight
// bytes), four bytes of length (all little-endian), JSON of that length (functions and handlers),
// the decoder's tables (numbers in the order of the computer), then the binary module. The hash
// finds damage.

import type { CoreBlueprint } from "../../../cpu/core/boot.ts";
import { joined } from "../../../kit/support/values/bytes.ts";
import { HASH_SIZE, hashOfBytes } from "../../../kit/support/values/word-hash.ts";

const MAGIC = new TextEncoder().encode("EL2CORE\n");
const LENGTH_AT = MAGIC.length + HASH_SIZE;
const HEAD_AT = LENGTH_AT + 4;

/** The JSON of a file: plain data, and the lengths (bytes) of the numbers after it. */
interface Head extends Pick<CoreBlueprint, "functions" | "handlers"> {
  readonly keys: number;
  readonly candidates: number;
}

/** The bytes of a file. */
export function encodeBlueprint({ code, functions, handlers, decoder }: CoreBlueprint): Uint8Array<ArrayBuffer> {
  const head: Head = { functions, handlers, keys: decoder.keys.byteLength, candidates: decoder.candidates.byteLength };
  const text = new TextEncoder().encode(JSON.stringify(head));
  const start = new Uint8Array(HEAD_AT);
  start.set(MAGIC);
  new DataView(start.buffer).setUint32(LENGTH_AT, text.length, true);
  const bytes = joined([start, text, new Uint8Array(decoder.keys.buffer), new Uint8Array(decoder.candidates.buffer), code]);
  new DataView(bytes.buffer).setFloat64(MAGIC.length, hashOfRest(bytes), true);
  return bytes;
}

/** The content of a file; undefined if it is damaged. */
export function decodeBlueprint(bytes: Uint8Array<ArrayBuffer>): CoreBlueprint | undefined {
  if (bytes.length < HEAD_AT || MAGIC.some((byte, index) => bytes[index] !== byte)) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  if (hashOfRest(bytes) !== view.getFloat64(MAGIC.length, true)) return undefined;
  let at = HEAD_AT + view.getUint32(LENGTH_AT, true);
  // The hash says that `encodeBlueprint` wrote it, and the file's name that this program did.
  const head: Head = JSON.parse(new TextDecoder().decode(bytes.subarray(HEAD_AT, at)));
  const numbers = (length: number) => new Int32Array(bytes.slice(at, at += length).buffer);
  const decoder = { keys: numbers(head.keys), candidates: numbers(head.candidates) };
  return { functions: head.functions, handlers: head.handlers, decoder, code: bytes.subarray(at) };
}

function hashOfRest(bytes: Uint8Array): number {
  return hashOfBytes(bytes.subarray(LENGTH_AT));
}
