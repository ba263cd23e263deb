// One line of KTAP or TAP (https://docs.kernel.org/dev-tools/ktap.html, https://testanything.org,
// versions 12 to 14). Reports nest in three ways: KUnit and TAP 14 indent the report of a subtest,
// and kselftest writes it as comments, `# ok 1 name`. For all of them the depth of a line is the
// column in which its word begins.

/** Characters of a line that are read. */
export const LINE_MAX = 4096;
/** Characters of a name or a reason that are kept. */
const TEXT_MAX = 240;
/** Columns of a tab: older KUnit indents with tabs. */
const TAB = 4;
/** Digits of a number that is read. */
const DIGITS = 9;

/** The outcome of a test besides ok and not ok. */
export type Directive = "skip" | "todo" | "timeout" | "other";

export type KtapLine =
  | { readonly kind: "version"; readonly column: number }
  | { readonly kind: "plan"; readonly column: number; readonly count: number; readonly skip: string | undefined }
  | {
    readonly kind: "result";
    readonly column: number;
    readonly ok: boolean;
    readonly number: number | undefined;
    readonly name: string;
    readonly directive: Directive | undefined;
    readonly reason: string;
  }
  | { readonly kind: "bail"; readonly column: number; readonly reason: string }
  | { readonly kind: "subtest"; readonly column: number; readonly name: string }
  /** The beginning or the end of a block of YAML. */
  | { readonly kind: "yaml"; readonly column: number; readonly ends: boolean }
  | { readonly kind: "other"; readonly column: number; readonly text: string };

/** The time before the text of printk, `[   12.345678] `; in some kernels with thread or CPU. */
const STAMP = String.raw`\[ *\d{1,9}\.\d{6}\](?:\[ *[TC]\d{1,9}\])? ?`;
const STAMPED = new RegExp(`^(?:<\\d{1,3}>)?${STAMP}`);
const STAMP_WITHIN = new RegExp(STAMP);

const WORDS = ["not ok ", "KTAP version ", "TAP version ", "Bail out!", "1.."];
/** Indentation of a subtest, or its signs of comments. */
const BEFORE = /^[\t #]*/;
const RESULT = /^(not ok|ok)(?: +(\d+))?(?: +|$)(?:- *)?(.*)$/;
const PLAN = /^1\.\.(\d+)(?: *# *skip\S* *(.*))?$/i;
/** Directives that have a meaning, anywhere in the line. */
const KNOWN = /(?:^|[^\\])# *(skip|todo|xfail|timeout)\b[: ]*(.*)$/i;
/** Reasons for a failure. */
const COMMENT = /(?:^| )# (exit=.*|error\b.*)$/i;
const DIRECTIVES: Readonly<Record<string, Directive>> = { skip: "skip", todo: "todo", xfail: "todo", timeout: "timeout" };

/**
 * A line without the stamp of the kernel before it, and what printk wrote into the middle of it: a
 * program's line that printk has torn continues in the next line without a stamp.
 */
export function withoutPrintk(line: string): { readonly text: string; readonly torn: boolean; readonly isPrintk: boolean } {
  const stamp = STAMPED.exec(line);
  const text = stamp ? line.slice(stamp[0].length) : line;
  if (stamp) return { text, torn: false, isPrintk: true };
  const within = STAMP_WITHIN.exec(line);
  const begun = within ? line.slice(0, within.index) : "";
  return within && beginsWord(begun) ? { text: begun, torn: true, isPrintk: false } : { text, torn: false, isPrintk: false };
}

/** The text of a line before printk wrote into it, or instead of it. */
export function beforeStamp(line: string): string {
  const stamp = STAMP_WITHIN.exec(line);
  return stamp ? line.slice(0, stamp.index).replace(/<\d{1,3}>$/, "") : line;
}

/** Whether a text is the beginning of a line of a report. */
function beginsWord(text: string): boolean {
  const word = text.replace(BEFORE, "");
  return word !== "" && (/^(?:not )?ok\b/.test(word) || WORDS.some((one) => one.startsWith(word) || word.startsWith(one)));
}

/** Reads a line, which has no stamp and no end of line. */
export function ktapLine(line: string): KtapLine {
  const text = line.replace(BEFORE, ""), before = line.slice(0, line.length - text.length), column = columnsOf(before);
  if (/^K?TAP version \d/.test(text)) return { kind: "version", column };
  const plan = PLAN.exec(text);
  if (plan && plan[1].length <= DIGITS) {
    return { kind: "plan", column, count: Number(plan[1]), skip: plan[2] === undefined ? undefined : shortened(plan[2]) };
  }
  const result = RESULT.exec(text);
  // In a comment "ok" is a word; there, only a number makes it a result.
  if (result && (result[2] !== undefined || !before.includes("#")) && (result[2] ?? "").length <= DIGITS) {
    return {
      kind: "result",
      column,
      ok: result[1] === "ok",
      number: result[2] === undefined ? undefined : Number(result[2]),
      ...said(result[3]),
    };
  }
  if (/^Bail out!/i.test(text)) return { kind: "bail", column, reason: shortened(text.slice("Bail out!".length)) };
  if (before.endsWith("# ") && text.startsWith("Subtest:")) {
    return { kind: "subtest", column: column - 2, name: shortened(text.slice("Subtest:".length)) };
  }
  if (!before.includes("#") && (text === "---" || text === "...")) return { kind: "yaml", column, ends: text === "..." };
  return { kind: "other", column, text: line.length > TEXT_MAX ? `${line.slice(0, TEXT_MAX)}…` : line };
}

/** Name, directive and reason in the text after a number. */
function said(text: string): { name: string; directive: Directive | undefined; reason: string } {
  const known = KNOWN.exec(text);
  if (known) {
    // The match begins with the character before the number sign, but at the beginning.
    const name = text.slice(0, text.indexOf("#", known.index));
    return { name: named(name), directive: DIRECTIVES[known[1].toLowerCase()], reason: shortened(known[2]) };
  }
  const comment = COMMENT.exec(text);
  if (comment) return { name: named(text.slice(0, comment.index)), directive: "other", reason: shortened(comment[1]) };
  return { name: named(text), directive: undefined, reason: "" };
}

/** A name without the backslashes with which TAP 14 escapes number signs. */
function named(text: string): string {
  return shortened(text.replaceAll(/\\([\\#])/g, "$1"));
}

function shortened(text: string): string {
  const trimmed = text.trim();
  return trimmed.length > TEXT_MAX ? `${trimmed.slice(0, TEXT_MAX)}…` : trimmed;
}

function columnsOf(before: string): number {
  let columns = 0;
  for (const sign of before) columns += sign === "\t" ? TAB : 1;
  return columns;
}
