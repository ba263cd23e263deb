// The texts of a TypeScript source: string literals, which a program may print, and comments. A
// scanner, as tests and counts need only the texts and where they are.

/** A string literal, or a template with `…` for each value in it. */
export interface Literal {
  readonly text: string;
  /** The line at which it begins, from 1. */
  readonly line: number;
  /** Where it begins and ends in the source, with its quotes. */
  readonly from: number;
  readonly to: number;
}

/** A block comment, a comment at the end of a line, or comments on lines that follow each other. */
export interface Comment {
  /** Its paragraphs and tags, each in one line, without the marks. */
  readonly paragraphs: readonly string[];
  /** The line at which it begins, from 1. */
  readonly line: number;
}

/** After these a slash begins a regular expression, and elsewhere it divides. */
const BEFORE_REGEX = /(?:^|[=([{,;:!&|?+\-*%<>~^]|\b(?:return|typeof|case|in|of|void|delete))\s*$/;

/** The literals of a source, in their order. */
export function stringLiterals(source: string): Literal[] {
  return scan(source).literals;
}

/** The regular expressions of a source, without their slashes and flags. */
export function regexLiterals(source: string): Literal[] {
  return scan(source).regexes;
}

/** The comments of a source, in their order. */
export function comments(source: string): Comment[] {
  let line = 1, before = 0;
  return joined(source, scan(source).comments).map(({ from, to }) => {
    for (; before < from; before++) if (source[before] === "\n") line++;
    return { paragraphs: paragraphsOf(source.slice(from, to)), line };
  });
}

interface Range {
  readonly from: number;
  readonly to: number;
}

/** Joins comments of one line each that have whole lines to themselves and follow each other. */
function joined(source: string, ranges: readonly Range[]): Range[] {
  const whole = ({ from }: Range) => source.startsWith("//", from) && /(?:^|\n)[ ]*$/.test(source.slice(Math.max(0, from - 100), from));
  const all: Range[] = [];
  for (const range of ranges) {
    const last = all.at(-1);
    if (last && whole(last) && whole(range) && /^\n[ ]*$/.test(source.slice(last.to, range.from))) {
      all[all.length - 1] = { from: last.from, to: range.to };
    } else all.push(range);
  }
  return all;
}

function paragraphsOf(comment: string): string[] {
  const lines = comment.replace(/^\/\*+/, "").replace(/\*\/$/, "").split("\n").map((line) => line.replace(/^\s*(?:\/\/|\*)? ?/, ""));
  const paragraphs: string[] = [];
  let open = false;
  for (const line of lines) {
    const text = line.trim();
    if (text === "") open = false;
    else if (open && !/^(?:@|[-*] |\d+\. | {2})/.test(line)) paragraphs[paragraphs.length - 1] += ` ${text}`;
    else {
      paragraphs.push(text);
      open = true;
    }
  }
  return paragraphs;
}

function scan(source: string): { literals: Literal[]; regexes: Literal[]; comments: Range[] } {
  const found: Literal[] = [], regexes: Literal[] = [], comments: Range[] = [];
  const lineAt = (at: number) => source.slice(0, at).split("\n").length;

  /** Scans code from `at` to its end, or to the brace that ends a value of a template. */
  const code = (at: number, inTemplate: boolean): number => {
    let depth = 0, before = "";
    while (at < source.length) {
      const char = source[at], two = source.slice(at, at + 2);
      if (two === "//") comments.push({ from: at, to: at = lineEnd(at) });
      else if (two === "/*") comments.push({ from: at, to: at = source.indexOf("*/", at) + 2 });
      else if (char === '"' || char === "'") at = quoted(at);
      else if (char === "`") at = template(at);
      else if (char === "/" && BEFORE_REGEX.test(before)) at = regex(at);
      else {
        if (char === "{") depth++;
        if (char === "}" && depth-- === 0 && inTemplate) return at + 1;
        before = (before + char).slice(-12);
        at++;
        continue;
      }
      before = two === "//" || two === "/*" ? before : ")";
    }
    return at;
  };

  const lineEnd = (at: number): number => {
    const end = source.indexOf("\n", at);
    return end < 0 ? source.length : end;
  };

  const quoted = (start: number): number => {
    let at = start + 1;
    while (source[at] !== source[start]) at += source[at] === "\\" ? 2 : 1;
    found.push({ text: unescaped(source.slice(start + 1, at)), line: lineAt(start), from: start, to: at + 1 });
    return at + 1;
  };

  const template = (start: number): number => {
    const index = found.push({ text: "", line: lineAt(start), from: start, to: start }) - 1;
    let at = start + 1, text = "";
    while (source[at] !== "`") {
      if (source.startsWith("${", at)) {
        at = code(at + 2, true);
        text += "…";
      } else {
        const length = source[at] === "\\" ? 2 : 1;
        text += source.slice(at, at + length);
        at += length;
      }
    }
    found[index] = { ...found[index], text: unescaped(text), to: at + 1 };
    return at + 1;
  };

  const regex = (start: number): number => {
    let at = start + 1;
    for (let inClass = false; source[at] !== "/" || inClass; at++) {
      if (source[at] === "\\") at++;
      else if (source[at] === "[") inClass = true;
      else if (source[at] === "]") inClass = false;
    }
    regexes.push({ text: source.slice(start + 1, at), line: lineAt(start), from: start, to: at + 1 });
    return at + 1;
  };

  code(0, false);
  return { literals: found, regexes, comments };
}

function unescaped(text: string): string {
  return text.replaceAll(/\\(\n|.)/g, (_, char: string) => char === "n" || char === "\n" ? "\n" : char === "t" ? " " : char);
}
