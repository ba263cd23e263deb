// Arguments of system calls as texts, in the words of the kernel's headers.

import { textOf } from "../kernel/memory.ts";
import { joined } from "../../../kit/support/values/bytes.ts";
import { PAGE_SIZE } from "../../../kit/support/values/sizes.ts";
import { type Choice, CHOICES, FLAGS, type Flags, FUTEX, FUTEX_PRIVATE, FUTEX_REALTIME, O_CREAT, O_TMPFILE } from "./call-words.ts";
import { type ArgumentKind, isText, signalName, type SystemCall } from "./system-calls.ts";

const AT_FDCWD = -100;
/** Characters of a text that are shown; a path may have all that the kernel takes. */
const TEXT_MAX = 32, PATH_MAX = 4096;

const number = (value: bigint) => Number(BigInt.asIntN(32, value));
const bits = (value: bigint) => value === 0n ? "0" : `0x${value.toString(16)}`;

/** Texts of values that came before: programs use few. */
const FLAG_TEXTS = new Map<Flags, Map<bigint, string>>();
const TEXTS_MAX = 1024;

function flagsText(flags: Flags, value: bigint): string {
  let texts = FLAG_TEXTS.get(flags);
  if (!texts) FLAG_TEXTS.set(flags, texts = new Map());
  let text = texts.get(value);
  if (text !== undefined) return text;
  text = newFlagsText(flags, value);
  if (texts.size < TEXTS_MAX) texts.set(value, text);
  return text;
}

function newFlagsText({ mask = 0, choice = {}, bits: names }: Flags, value: bigint): string {
  const chosen = mask === 0 ? undefined : choice[Number(value & BigInt(mask))];
  const words = chosen === undefined ? [] : [chosen];
  let rest = chosen === undefined ? value : value & ~BigInt(mask);
  for (const [name, bit] of Object.entries(names)) {
    const wanted = BigInt(bit);
    if ((rest & wanted) !== wanted) continue;
    words.push(name);
    rest &= ~wanted;
  }
  if (rest !== 0n || !words.length) words.push(bits(rest));
  return words.join("|");
}

/** CLONE_ flags. Their lowest byte is the signal that the child's end sends. */
function cloneText(value: bigint): string {
  const signal = Number(value & 0x7fn), rest = value & ~0x7fn;
  const words = rest === 0n ? [] : [flagsText(FLAGS.c, rest)];
  if (signal !== 0) words.push(signalName(signal));
  return words.join("|") || "0";
}

function futexText(value: number): string {
  const operation = FUTEX[value & 0x7f];
  if (operation === undefined) return String(value);
  const realtime = value & FUTEX_REALTIME ? "|FUTEX_CLOCK_REALTIME" : "";
  return `FUTEX_${operation}${value & FUTEX_PRIVATE ? "_PRIVATE" : ""}${realtime}`;
}

/** A file descriptor, or the current folder. */
const descriptorText = (value: bigint) => number(value) === AT_FDCWD ? "AT_FDCWD" : String(number(value));

const FLAGS_OF: Readonly<Partial<Record<ArgumentKind, Flags>>> = FLAGS;
const CHOICES_OF: Readonly<Partial<Record<ArgumentKind, Choice>>> = CHOICES;

/** An argument that needs no memory. */
function wordText(kind: ArgumentKind, value: bigint): string {
  switch (kind) {
    case "d":
      return String(BigInt.asIntN(64, value) > 0x7fff_ffffn ? BigInt.asIntN(64, value) : number(value));
    case "u":
      return String(value);
    case "x":
    case "p":
    case "s":
      return addressText(value);
    case "bits":
      return bits(value);
    case "f":
    case "D":
      return descriptorText(value);
    case "m":
      return value === 0n ? "0" : `0${(value & 0xffffn).toString(8).padStart(3, "0")}`;
    case "g":
      return signalName(number(value));
    case "c":
      return cloneText(value);
    case "U":
      return futexText(number(value));
    default:
      return tableText(kind, value);
  }
}

function tableText(kind: ArgumentKind, value: bigint): string {
  const flags = FLAGS_OF[kind], choices = CHOICES_OF[kind];
  if (flags) return flagsText(flags, BigInt.asUintN(32, value));
  return choices?.[number(value)] ?? choices?.[Number(BigInt.asUintN(32, value))] ?? bits(value);
}

const ESCAPES: Readonly<Record<string, string>> = { "\n": "\\n", "\t": "\\t", "\r": "\\r", '"': '\\"', "\\": "\\\\" };

function quoted(text: string): string {
  // deno-lint-ignore no-control-regex
  const shown = text.replace(/[\x00-\x1f"\\\x7f-\x9f]/g, (one) => ESCAPES[one] ?? `\\x${one.charCodeAt(0).toString(16).padStart(2, "0")}`);
  return `"${shown}"`;
}

const PAGE_OFFSET = BigInt(PAGE_SIZE - 1);

/** The page of a program with an address; undefined if it is not in memory now. */
type PageAt = (address: bigint) => DataView | undefined;

/**
 * A program's text: its words up to that with the zero, or its bytes, cut if there are many more,
 * or what is known of it otherwise. An array of bytes takes 1.2 us to make, one of words 0.1.
 */
type ProgramText = { readonly words: readonly number[] } | { readonly bytes: Uint8Array; readonly isCut: boolean } | string;

/** The texts that a call's arguments lead to, by index; undefined: not in memory, or no text. */
export type ProgramTexts = readonly (ProgramText | undefined)[];

/** Whether a byte of a word is zero. */
const hasZero = (word: number) => (word - 0x0101_0101 & ~word & 0x8080_8080) !== 0;

/** A copy of a program's text; undefined if its page is not in memory now. */
function textAt(pageAt: PageAt, address: bigint, most: number): ProgramText | undefined {
  const page = pageAt(address), words: number[] = [];
  if (!page) return undefined;
  const offset = Number(address & PAGE_OFFSET), end = Math.min(offset + most, PAGE_SIZE);
  for (let at = offset; at + 4 <= end; at += 4) {
    const word = page.getInt32(at, true);
    words.push(word);
    if (hasZero(word)) return { words };
  }
  return longTextAt(pageAt, address, most);
}

/** The same of one that ends in another page, or is cut. */
function longTextAt(pageAt: PageAt, address: bigint, most: number): ProgramText | undefined {
  const parts: Uint8Array[] = [];
  let isCut = true;
  for (let at = address, left = most; left > 0 && isCut;) {
    const page = pageAt(at);
    if (!page) return undefined;
    const offset = Number(at & PAGE_OFFSET), size = Math.min(left, PAGE_SIZE - offset);
    let length = 0;
    while (length < size && page.getUint8(offset + length) !== 0) length++;
    isCut = length === size;
    parts.push(new Uint8Array(page.buffer, page.byteOffset + offset, length).slice());
    at += BigInt(size);
    left -= size;
  }
  return { bytes: parts.length === 1 ? parts[0] : joined(parts), isCut };
}

function shownText(text: ProgramText): string {
  if (typeof text === "string") return quoted(text);
  if ("words" in text) return quoted(textOf(new Uint8Array(Int32Array.from(text.words).buffer)));
  return `${quoted(textOf(text.bytes))}${text.isCut ? "..." : ""}`;
}

/** The texts that a call's arguments lead to, as far as they are in memory. */
export function textsOf({ kinds }: SystemCall, values: readonly bigint[], pageAt: PageAt): ProgramTexts {
  const texts: (ProgramText | undefined)[] = [];
  for (let index = 0; index < kinds.length; index++) {
    const kind = kinds[index], hasText = isText(kind) && values[index] !== 0n;
    texts.push(hasText ? textAt(pageAt, values[index], kind === "p" ? PATH_MAX : TEXT_MAX) : undefined);
  }
  return texts;
}

/** Whether a text of these was not in memory. */
export function lacksText({ kinds }: SystemCall, values: readonly bigint[], texts: ProgramTexts): boolean {
  for (let index = 0; index < kinds.length; index++) {
    if (isText(kinds[index]) && values[index] !== 0n && texts[index] === undefined) return true;
  }
  return false;
}

/** The arguments for display. */
export function argumentTexts({ name, kinds }: SystemCall, values: readonly bigint[], texts: ProgramTexts): string[] {
  const shown = kinds.map((kind, index) => {
    const text = texts[index];
    return text !== undefined ? shownText(text) : wordText(kind, values[index]);
  });
  // The mode has a meaning only if the call creates a file.
  const flags = name === "openat" ? Number(values[2] & 0xffff_ffffn) : -1;
  return name === "openat" && !(flags & O_CREAT) && (flags & O_TMPFILE) !== O_TMPFILE ? shown.slice(0, -1) : shown;
}

const addressText = (value: bigint) => value === 0n ? "NULL" : bits(value);
