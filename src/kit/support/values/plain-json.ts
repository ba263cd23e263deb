// Plain data as JSON, in which bytes and 64-bit numbers are marked: the form of messages over
// sockets and of recordings.

import { decodeBase64, encodeBase64 } from "./base64.ts";

/** Text of a value of plain data. */
export function encodePlain(value: unknown): string {
  // Most messages have nothing to mark. A function that looks at each value takes several times as
  // long.
  return hasMarked(value) ? JSON.stringify(value, marked) : JSON.stringify(value);
}

function marked(_name: string, part: unknown): unknown {
  if (part instanceof Uint8Array) return { $bytes: encodeBase64(part) };
  if (typeof part === "bigint") return { $bigint: part.toString() };
  return part;
}

function hasMarked(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return typeof value === "bigint";
  if (value instanceof Uint8Array) return true;
  return Array.isArray(value) ? value.some(hasMarked) : Object.values(value).some(hasMarked);
}

/** A text has more levels of lists and objects than its reader allows. */
export class NestedTooDeep extends SyntaxError {}

/** Levels of lists and objects: plans have a dozen. */
const DEEPEST = 256;

/** Digits of a marked number: registers have 128 bits. Reading takes the square of them. */
const DIGITS_MAX = 64;

/**
 * The value.
 * @param deepest levels of lists and objects at most
 * @throws NestedTooDeep; SyntaxError if the text is not JSON, or a marked number is invalid
 */
export function decodePlain(text: string, deepest = DEEPEST): unknown {
  checkNesting(text, deepest);
  return MARKS.test(text) ? JSON.parse(text, unmarked) : JSON.parse(text);
}

/** Matches every text that has a mark, also one with JSON's escapes; some have none. */
const MARKS = /\$[b\\]|\\u0024/;

function unmarked(_name: string, part: unknown): unknown {
  if (typeof part !== "object" || part === null) return part;
  if ("$bytes" in part && typeof part.$bytes === "string") return decodeBase64(part.$bytes);
  if ("$bigint" in part && typeof part.$bigint === "string") {
    if (part.$bigint.length > DIGITS_MAX) throw new SyntaxError(`a number of ${part.$bigint.length} digits`);
    return BigInt(part.$bigint);
  }
  return part;
}

/** Refuses nesting too deep for those who walk through the value, this parser among them. */
function checkNesting(text: string, deepest: number): void {
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) at = endOfString(text, at);
    // A brace is a bracket with one more bit.
    else if ((code | 0x20) === OPEN) {
      if (++depth > deepest) throw new NestedTooDeep(`nested deeper than ${deepest}`);
    } else if ((code | 0x20) === CLOSE) depth--;
  }
}

const QUOTE = 0x22, OPEN = 0x7b, CLOSE = 0x7d;

/** Where the string that begins at `start` ends. */
function endOfString(text: string, start: number): number {
  for (let at = start;;) {
    at = text.indexOf('"', at + 1);
    if (at < 0) return text.length;
    let escapes = 0;
    while (text[at - 1 - escapes] === "\\") escapes++;
    if (escapes % 2 === 0) return at;
  }
}
