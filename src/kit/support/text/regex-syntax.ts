// Patterns in JavaScript's syntax (ECMA-262, RegExp without the flags u and v, with annex B), as a
// tree for the linear engine. V8 judges the syntax and each single character; this reader finds the
// structure, and refuses what no automaton can match.

/** The flags that a pattern is read with. */
export type RegexFlags = "" | "i" | "m" | "im";

/** A condition between two characters. */
export type Assertion = "start" | "end" | "line-start" | "line-end" | "word-edge" | "no-word-edge";

export type RegexNode =
  | { readonly kind: "one"; readonly source: string; readonly flags: string }
  | { readonly kind: "assertion"; readonly assertion: Assertion }
  | { readonly kind: "sequence"; readonly parts: readonly RegexNode[] }
  | { readonly kind: "alternatives"; readonly parts: readonly RegexNode[] }
  | { readonly kind: "repeat"; readonly part: RegexNode; readonly min: number; readonly max: number; readonly greedy: boolean };

/** Groups within groups. */
const DEEPEST = 100;

/** Starts of groups that look around: they need a second engine at each character. */
const LOOKAROUNDS: readonly (readonly [start: string, name: string])[] = [
  ["(?=", "lookahead"],
  ["(?!", "lookahead"],
  ["(?<=", "lookbehind"],
  ["(?<!", "lookbehind"],
];

const UNSUPPORTED = "is not supported, because patterns are matched in linear time";

const GROUP = /\((?:\?(?:<[^>]*>|(?<on>[ims]*)(?:-(?<off>[ims]*))?:))?/y;
/** The starts of groups that capture, and what may look like one. */
const CAPTURES = /\\[^]|\[(?:[^\\\]]|\\[^])*\]|(?<start>\((?!\?)|\(\?<(?![=!]))/g;
const QUANTIFIER = /(?:(?<sign>[*+?])|\{(?<min>\d+)(?<open>,(?<max>\d*))?\})(?<lazy>\?)?/y;
const CLASS = /\[(?:[^\\\]]|\\[^])*\]/y;
/** An escape of one character; a backslash that escapes nothing is a character. */
const ESCAPE = /\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|c[A-Za-z]|[0-3][0-7]{0,2}|[4-7][0-7]?|[^c0-7]|(?=c))/y;

/**
 * Reads a pattern.
 * @throws SyntaxError if V8 refuses it, or if it cannot be matched in linear time
 */
export function parseRegex(source: string, flags: RegexFlags): RegexNode {
  void new RegExp(source, flags);
  return new PatternReader(source, flags).read();
}

/** The error of a pattern, worded as V8 does. */
export function regexError(source: string, flags: string, message: string): SyntaxError {
  return new SyntaxError(`Invalid regular expression: /${source}/${flags}: ${message}`);
}

class PatternReader {
  #at = 0;
  #depth = 0;
  readonly #groups: number;
  readonly #named: boolean;

  constructor(readonly source: string, readonly flags: RegexFlags) {
    const starts = [...source.matchAll(CAPTURES)].flatMap(({ groups }) => groups?.start ?? []);
    this.#groups = starts.length;
    this.#named = starts.includes("(?<");
  }

  read(): RegexNode {
    return this.#alternatives(this.flags);
  }

  #alternatives(flags: string): RegexNode {
    if (++this.#depth > DEEPEST) throw this.#error(`more than ${DEEPEST} nested groups`);
    const parts = [this.#sequence(flags)];
    while (this.#takes("|")) parts.push(this.#sequence(flags));
    this.#depth--;
    return parts.length === 1 ? parts[0] : { kind: "alternatives", parts };
  }

  #sequence(flags: string): RegexNode {
    const parts: RegexNode[] = [];
    while (this.#at < this.source.length && !"|)".includes(this.source[this.#at])) parts.push(this.#quantified(this.#part(flags)));
    return parts.length === 1 ? parts[0] : { kind: "sequence", parts };
  }

  #quantified(part: RegexNode): RegexNode {
    const groups = this.#match(QUANTIFIER)?.groups;
    if (!groups) return part;
    const { sign, min, open, max, lazy } = groups;
    const least = sign ? Number(sign === "+") : Number(min);
    const most = sign ? (sign === "?" ? 1 : Infinity) : open === undefined ? least : max === "" ? Infinity : Number(max);
    return { kind: "repeat", part, min: least, max: most, greedy: lazy === undefined };
  }

  #part(flags: string): RegexNode {
    const multiline = flags.includes("m");
    if (this.#takes("^")) return { kind: "assertion", assertion: multiline ? "line-start" : "start" };
    if (this.#takes("$")) return { kind: "assertion", assertion: multiline ? "line-end" : "end" };
    if (this.#takes("\\b")) return { kind: "assertion", assertion: "word-edge" };
    if (this.#takes("\\B")) return { kind: "assertion", assertion: "no-word-edge" };
    if (this.source[this.#at] === "(") return this.#group(flags);
    this.#refuseBackreference();
    return { kind: "one", source: this.#match(CLASS)?.[0] ?? this.#escape() ?? this.#character(), flags };
  }

  #escape(): string | undefined {
    const escape = this.#match(ESCAPE)?.[0];
    return escape === "\\" ? "\\\\" : escape;
  }

  #character(): string {
    const character = this.source[this.#at++];
    return character === "." ? character : `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  }

  #group(flags: string): RegexNode {
    for (const [start, name] of LOOKAROUNDS) {
      if (this.source.startsWith(start, this.#at)) throw this.#error(`${name} ${start}…) ${UNSUPPORTED}`);
    }
    const { on = "", off = "" } = this.#match(GROUP)!.groups ?? {};
    const inner = this.#alternatives([...new Set([...flags, ...on])].filter((flag) => !off.includes(flag)).join(""));
    this.#at++; // the parenthesis that closes it
    return inner;
  }

  /** A number beyond the groups is an octal escape; without names, `\k` is a letter. */
  #refuseBackreference(): void {
    const [text, number] = /^\\(?:([1-9]\d*)|k)/.exec(this.source.slice(this.#at, this.#at + 10)) ?? [];
    if (text === undefined || (number === undefined ? !this.#named : Number(number) > this.#groups)) return;
    throw this.#error(`the backreference ${text} ${UNSUPPORTED}`);
  }

  #takes(text: string): boolean {
    if (!this.source.startsWith(text, this.#at)) return false;
    this.#at += text.length;
    return true;
  }

  #match(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.source);
    if (match) this.#at += match[0].length;
    return match;
  }

  #error(message: string): SyntaxError {
    return regexError(this.source, this.flags, message);
  }
}
