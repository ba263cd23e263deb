// The lines of a file as text: bytes of any encoding that logs have, without what terminals and
// loggers put around a message.

import { withoutSequences } from "../../kit/support/text/shown-text.ts";

/** The most bytes and lines that are read, and characters of a line. */
export const BYTES_MAX = 64 * 2 ** 20, LINES_MAX = 2_000_000, LINE_MAX = 4096;

export interface Lines {
  readonly lines: readonly string[];
  /** The first line, from 1, that was cut to its first 4,096 characters. */
  readonly longLine: number | undefined;
  /** There are more. */
  readonly stopped: boolean;
}

/** Minus signs and spaces of word processors and chats. */
const TYPED: readonly (readonly [RegExp, string])[] = [[/[\u2212\u2012\u2013]/g, "-"], [/[\u00a0\u2007\u202f]/g, " "], [
  /[\u200b\ufeff]/g,
  "",
]];

export function linesOf(bytes: Uint8Array): Lines {
  const text = decoded(bytes), lines: string[] = [];
  let longLine: number | undefined, at = 0;
  while (at < text.length && lines.length < LINES_MAX) {
    const feed = text.indexOf("\n", at), end = feed < 0 ? text.length : feed;
    if (end - at > LINE_MAX) longLine ??= lines.length + 1;
    lines.push(plain(text.slice(at, Math.min(end, at + LINE_MAX))));
    at = end + 1;
  }
  return { lines, longLine, stopped: at < text.length };
}

function decoded(bytes: Uint8Array): string {
  return new TextDecoder(wideEncoding(bytes) ?? "utf-8").decode(bytes);
}

/** The encoding of a text that begins with the byte order mark of UTF-16; undefined for others. */
function wideEncoding([first, second]: Uint8Array): "utf-16le" | "utf-16be" | undefined {
  if (first === 0xff && second === 0xfe) return "utf-16le";
  return first === 0xfe && second === 0xff ? "utf-16be" : undefined;
}

function plain(line: string): string {
  let text = line.includes("\x1b") ? withoutSequences(line) : line;
  // deno-lint-ignore no-control-regex
  if (/[^\x00-\x7f]/.test(text)) { for (const [typed, meant] of TYPED) text = text.replaceAll(typed, meant); }
  return text.replace(/\r+$/, "");
}

/** Prefixes of the kernel's log, of logcat, of systemd's journal, and of quotes. */
const PREFIXES = [
  /^(?:> ?)+/,
  /^<\d{1,3}>/,
  /^\[ *\d+\.\d+\](?:\[ *[TC]\d+\])? ?/,
  /^(?:\d{4}-)?\d\d-\d\d \d\d:\d\d:\d\d\.\d+ +\d+ +\d+ [VDIWEFS] [^:]{0,60}: /,
  /^[VDIWEFS]\/[^(]{0,60}\( *\d+\): /,
  /^\w{3} +\d+ \d\d:\d\d:\d\d \S{1,64} [^:]{1,64}: /,
];

/** A line without the prefixes that loggers write. */
export function bodyOf(line: string): string {
  let text = line;
  for (const prefix of PREFIXES) text = text.replace(prefix, "");
  return text;
}

/** A text that has no lines: its bytes are not those of a log. */
export function isBinary(bytes: Uint8Array): boolean {
  if (wideEncoding(bytes) !== undefined) return false;
  const head = bytes.subarray(0, LINE_MAX);
  let zeros = 0;
  for (const byte of head) if (byte === 0) zeros++;
  return zeros * 16 > head.length;
}
