// Reads files of any kind into what their lines say. Each line is looked up by its words, so the
// time follows from the length of the files alone; lines that were torn in two are put together.

import { TracedCalls } from "./calls.ts";
import { callText, type Form, messageBook, PROGRAMS, type Said, valuesOf } from "./forms/form.ts";
import { messagesOf, wordsOfMessages } from "./forms/messages.ts";
import { type Match, matchFormat, WORD } from "./forms/format.ts";
import { reported } from "./kernel-reports.ts";
import { bodyOf, isBinary, LINE_MAX, LINES_MAX, linesOf } from "./lines.ts";
import { listed } from "./listings.ts";
import { spoken } from "./speakers.ts";
import { FDT_MAGIC } from "../../machine/devicetree/format.ts";
import type { Explained, LinePlace, SignValue, SignValues } from "./forms/sign.ts";

/** A file, or the standard input. */
export interface LogFile {
  readonly name: string;
  readonly bytes: Uint8Array;
}

export interface ReadLines {
  /** In the order of the files; lines that say the same are one. */
  readonly lines: readonly Explained[];
  /** Parts that were not read, and why. */
  readonly notes: readonly string[];
}

/** Different lines that are kept, of all files. */
const KEPT_MAX = 1000;
/** Lines after a message that are searched for what it lacks. */
const FOLLOWING = 6;
/** Values that differ between lines that say the same. */
const OWN_VALUES: ReadonlySet<string> = new Set(["address", "nth", "size", "vcpu", "label", "cpu"]);

export async function readFiles(files: readonly LogFile[]): Promise<ReadLines> {
  const kept = new KeptLines(), notes: string[] = [];
  for (const { name, bytes } of files) {
    if (isTree(bytes)) {
      const { explainTree } = await import("./trees.ts");
      for (const one of explainTree(name, bytes)) kept.add(one);
    } else if (isBinary(bytes)) notes.push(`${name} is neither a text nor a devicetree`);
    else readText(name, bytes, kept, notes);
  }
  if (kept.dropped > 0) notes.push(`${kept.dropped} more lines would be explained; these are the first ${KEPT_MAX}`);
  return { lines: kept.lines(), notes };
}

/** Also a tree that is cut off within its header. */
const isTree = (bytes: Uint8Array) => bytes.length >= 4 && new DataView(bytes.buffer, bytes.byteOffset).getUint32(0) === FDT_MAGIC;

function readText(file: string, bytes: Uint8Array, kept: KeptLines, notes: string[]): void {
  const { lines, longLine, stopped } = linesOf(bytes), calls = new TracedCalls();
  if (longLine !== undefined) {
    notes.push(`${file}:${longLine} is longer than ${LINE_MAX} characters: only those are read, as of each such line`);
  }
  if (stopped) notes.push(`${file} has more than ${LINES_MAX} lines: only those are read`);
  let before: LineWords | undefined;
  for (let index = 0; index < lines.length; index++) {
    const line = lines[index], at: LinePlace = { file, line: index + 1 }, own = wordsOf(line);
    const one = calls.read(line, at) ?? listed(line, at) ?? reported(own, at);
    if (one) kept.add(one);
    const messages = messagesOf(line, own.known), torn = before ? tornMessages(before, own) : [];
    for (const [form, match] of messages) kept.add(explainedBy(form, match, line, at, lines));
    for (const { form, match, text } of torn) kept.add(explainedBy(form, match, text, { file, line: index }, lines), true);
    const unknown = one || messages.length > 0 || torn.length > 0 ? undefined : spoken(line, at, lines);
    if (unknown) kept.add(unknown);
    before = own;
  }
}

/** A line, without what loggers put before it, and its words. */
interface LineWords {
  readonly text: string;
  readonly body: string;
  readonly words: readonly string[];
  /** Those by which messages are found. */
  readonly known: readonly string[];
}

function wordsOf(text: string): LineWords {
  const words = text.match(WORD) ?? [];
  return { text, body: bodyOf(text), words, known: wordsOfMessages(words) };
}

/** Messages that begin in one line and end in the next. */
function tornMessages(first: LineWords, next: LineWords): { form: Form; match: Match; text: string }[] {
  if (first.text === "" || next.text === "") return [];
  const border = /\w$/.test(first.text) ? `${first.words.at(-1) ?? ""}${next.body.match(WORD)?.[0] ?? ""}` : "";
  const words = [...first.known, ...next.known, ...wordsOfMessages([border])];
  if (words.length === 0) return [];
  const body = next.body.trimStart();
  return ["", " "].flatMap((between) => {
    const from = first.text.length, text = `${first.text}${between}${body}`;
    return messagesOf(text, words).flatMap(([form, match]) => {
      const isTorn = match.start < from && match.end > from + between.length && !match.cut;
      return isTorn && !isWhole(form, first.text) ? [{ form, match, text }] : [];
    });
  });
}

/** Whether a line has all of a message without the next line. */
function isWhole(form: Form, line: string): boolean {
  const match = matchFormat(form.matched, line);
  return match !== undefined && !match.cut;
}

function explainedBy(form: Form, match: Match, line: string, at: LinePlace, lines: readonly string[]): Explained {
  const program = PROGRAMS[form.by], values = { ...valuesOf(match, form.names), ...followingOf(form, at, lines), ...form.values };
  const said: Said = new Proxy<Record<string, SignValue>>({ ...values }, { get: (all, name) => all[String(name)] ?? "?" });
  const call = callText(values, form.call), book = form.book ?? messageBook(values.message);
  const isOwn = form.own && !match.cut || !form.shared && program.marks.some((mark) => line.includes(mark));
  return {
    at,
    text: line,
    by: program.name,
    count: 1,
    says: typeof form.says === "string" ? form.says : form.says(said),
    ...call !== undefined && { call },
    ...book && { book },
    ...match.cut && { cut: true },
    ...form.quiet && { quiet: true },
    ...!isOwn && { shared: true },
    sign: { kind: form.sign, values, at },
  };
}

/** The values that a message has on a line after it. */
function followingOf({ follows, then }: Form, { line }: LinePlace, lines: readonly string[]): SignValues {
  if (follows === undefined) return {};
  for (const text of lines.slice(line - 1, line + FOLLOWING)) {
    const match = matchFormat(follows, text);
    if (match && !match.cut) return valuesOf(match, then?.names);
  }
  return {};
}

/** Lines by what they say. */
class KeptLines {
  readonly #byText = new Map<string, Explained>();
  dropped = 0;

  /** @param torn it replaces what its first line alone said */
  add(one: Explained, torn = false): void {
    // The first part of a torn line had words that no form has.
    if (torn) this.#forget(({ at, sign }) => at.line === one.at.line && at.file === one.at.file && sign.values.guess === "yes");
    const { sign: { kind, values }, by, cut } = one;
    const same = Object.entries(values).filter(([name]) => !OWN_VALUES.has(name)).map(([name, value]) => `${name}=${value}`);
    const key = [kind, by, cut ? "cut" : "", one.at.file, ...same, one.quiet ? "" : withoutNumbers(one.says)].join("\n");
    if (torn) this.#forget(({ at, cut, sign }) => cut === true && at.line === one.at.line && at.file === one.at.file && sign.kind === kind);
    const before = this.#byText.get(key);
    if (before) {
      this.#byText.set(key, { ...before, count: before.count + 1, sign: { ...before.sign, values: latest(before.sign.values, values) } });
    } else if (this.#byText.size < KEPT_MAX) this.#byText.set(key, one);
    else this.dropped++;
  }

  #forget(isMeant: (line: Explained) => boolean): void {
    for (const [key, line] of this.#byText) if (isMeant(line)) this.#byText.delete(key);
  }

  /** Those that belong to VMs: what other programs write, too, counts only beside them. */
  lines(): readonly Explained[] {
    const all = [...this.#byText.values()];
    return all.some(({ shared }) => !shared) ? all : [];
  }
}

const withoutNumbers = (text: string) => text.replaceAll(/0x[0-9a-f]+|\d+/g, "");

/** A count of calls is that of the last one. */
function latest(before: SignValues, now: SignValues): SignValues {
  return now.nth === undefined ? before : { ...before, nth: now.nth };
}
