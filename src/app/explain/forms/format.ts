// A message by the format string of the program that prints it, C's or Rust's. A string is taken
// apart once; a line is compared part by part, so that time follows from its length alone.

import type { SignValue } from "./sign.ts";

/** How a value is written: `%d`, `%x` or `{:#x}`, `%s` or `{}`. */
type Conversion = "int" | "hex" | "text";

type Part = { readonly literal: string } | { readonly conversion: Conversion };

export interface Format {
  readonly source: string;
  /** The value before the first literal: a word at most. */
  readonly before: Conversion | undefined;
  readonly head: string;
  readonly parts: readonly Part[];
  /** A word that is in every line of this format; empty if it has none. */
  readonly word: string;
}

export interface Match {
  readonly values: readonly (SignValue | undefined)[];
  readonly start: number;
  readonly end: number;
  /** The text ended first. */
  readonly cut: boolean;
}

/** The longest text of a `%s`, and how many beginnings of a line are tried. */
const TEXT_MAX = 200, STARTS_MAX = 8;
/** A line that is cut off has at least so much of its message. */
const CUT_MIN = 12;
/** Words by which messages are looked up. */
export const WORD = /[A-Za-z_]{3,}/g;

const CONVERSION = /%(?:%|[-+ #]{0,3}\d{0,3}(?:\.(?:\d{1,3}|\*))?(?:hh|h|ll|l|z)?([diuxXspc])[SKfFbB]?)|\{([^{}]*)\}/g;

/** @throws Error for a format that begins with two values */
export function format(source: string): Format {
  const parts: Part[] = [];
  let literal = "", from = 0;
  for (const found of source.matchAll(CONVERSION)) {
    literal += source.slice(from, found.index);
    from = found.index + found[0].length;
    if (found[0] === "%%") {
      literal += "%";
      continue;
    }
    if (literal !== "") parts.push({ literal });
    literal = "";
    parts.push({ conversion: conversionOf(found[1], found[2]) });
  }
  literal += source.slice(from);
  if (literal !== "") parts.push({ literal });
  const [first] = parts, before = "conversion" in first ? first.conversion : undefined;
  const rest = before === undefined ? parts : parts.slice(1), [head] = rest;
  if (head === undefined || !("literal" in head)) throw new Error(`"${source}" begins with two values`);
  return { source, before, head: head.literal, parts: rest.slice(1), word: wordOf(parts) };
}

function conversionOf(c: string | undefined, rust: string | undefined): Conversion {
  if (rust !== undefined) return /x$/i.test(rust) ? "hex" : "text";
  return c === "d" || c === "i" || c === "u" ? "int" : c === "x" || c === "X" || c === "p" ? "hex" : "text";
}

/** The longest word that no value touches; empty if there is none. */
function wordOf(parts: readonly Part[]): string {
  let best = "";
  parts.forEach((part, index) => {
    if (!("literal" in part)) return;
    for (const { 0: word, index: at } of part.literal.matchAll(WORD)) {
      const touches = at === 0 && index > 0 || at + word.length === part.literal.length && index < parts.length - 1;
      if (!touches && word.length > best.length) best = word;
    }
  });
  return best;
}

/** Where a text has a message of this format. */
export function matchFormat(format: Format, text: string): Match | undefined {
  for (let from = 0, tries = 0; tries < STARTS_MAX; tries++) {
    const start = text.indexOf(format.head, from);
    if (start < 0) return undefined;
    const match = matchAt(format, text, start);
    if (match) return match;
    from = start + 1;
  }
  return undefined;
}

function matchAt({ before, head, parts }: Format, text: string, start: number): Match | undefined {
  const values: (SignValue | undefined)[] = [];
  let first = start, at = start + head.length;
  if (before !== undefined) {
    const word = lastWord(text, start);
    if (word === "" || before !== "text" && valueAt(before, word, 0)?.end !== word.length) return undefined;
    first -= word.length;
    values.push(before === "int" ? Number(word) : word);
  }
  const cut = () => at - first < CUT_MIN ? undefined : { values, start: first, end: text.length, cut: true };
  for (let index = 0; index < parts.length; index++) {
    const part = parts[index];
    if ("literal" in part) {
      if (text.startsWith(part.literal, at)) at += part.literal.length;
      else return part.literal.startsWith(text.slice(at)) ? cut() : undefined;
      continue;
    }
    const next = parts[index + 1], until = next && "literal" in next ? next.literal : undefined;
    const value = part.conversion === "text" ? textAt(text, at, until) : valueAt(part.conversion, text, at);
    if (value === undefined) return text.slice(at).trim() === "" ? cut() : undefined;
    values.push(value.value);
    at = value.end;
  }
  return { values, start: first, end: at, cut: false };
}

function lastWord(text: string, end: number): string {
  let start = end;
  while (start > 0 && end - start < TEXT_MAX && !/\s/.test(text[start - 1])) start--;
  return text.slice(start, end);
}

/** A number, or the errno that somebody has put in its place. */
const NUMBER = /[-+]?(?:0[xX][0-9a-fA-F]{1,16}|\d{1,20}|E[A-Z0-9]{2,14})/y, HEX = /(?:0[xX])?[0-9a-fA-F]{1,32}/y;

function valueAt(conversion: "int" | "hex", text: string, at: number): { value: SignValue; end: number } | undefined {
  const pattern = conversion === "int" ? NUMBER : HEX;
  pattern.lastIndex = at;
  const found = pattern.exec(text);
  if (found === null) return undefined;
  return { value: conversion === "int" ? numberOf(found[0]) : found[0].replace(/^0x/i, ""), end: pattern.lastIndex };
}

function numberOf(text: string): SignValue {
  const digits = text.replace(/^[-+]/, "");
  return digits.startsWith("E") ? digits : text.startsWith("-") ? -Number(digits) : Number(digits);
}

/** A text up to a literal, or to the end of the line. */
function textAt(text: string, at: number, until: string | undefined): { value: SignValue; end: number } | undefined {
  const end = until === undefined ? text.length : text.indexOf(until, at);
  if (end < 0 || until !== undefined && end - at > TEXT_MAX) return undefined;
  return { value: text.slice(at, Math.min(end, at + TEXT_MAX)).trim(), end };
}
