// Plain data as JSON, in which bytes and 64-bit numbers are marked: the form of messages over
// sockets and of recordings.

import { decodeBase64, encodeBase64 } from "./base64.ts";

/** Text of a value of plain data. */
export function encodePlain(value: unknown): string {
  return JSON.stringify(value, (_name, part) => {
    if (part instanceof Uint8Array) return { $bytes: encodeBase64(part) };
    if (typeof part === "bigint") return { $bigint: part.toString() };
    return part;
  });
}

/** Digits of a marked number: registers have 128 bits. Reading takes the square of them. */
const DIGITS_MAX = 64;

/**
 * The value.
 * @throws SyntaxError if the text is not JSON or a marked number is invalid.
 */
export function decodePlain(text: string): unknown {
  return JSON.parse(text, (_name, part) => {
    if (typeof part?.$bytes === "string") return decodeBase64(part.$bytes);
    if (typeof part?.$bigint === "string") {
      if (part.$bigint.length > DIGITS_MAX) throw new SyntaxError(`a number of ${part.$bigint.length} digits`);
      return BigInt(part.$bigint);
    }
    return part;
  });
}
