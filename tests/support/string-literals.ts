// The string literals of a TypeScript source: texts that a program may print. A scanner, as the
// wording tests need the texts and their lines only.

/** A string literal, or a template with `…` for each value in it. */
export interface Literal {
  readonly text: string;
  /** The line at which it begins, from 1. */
  readonly line: number;
}

/** After these a slash begins a regular expression, and elsewhere it divides. */
const BEFORE_REGEX = /(?:^|[=([{,;:!&|?+\-*%<>~^]|\b(?:return|typeof|case|in|of|void|delete))\s*$/;

/** The literals of a source, in their order. */
export function stringLiterals(source: string): Literal[] {
  const found: Literal[] = [];
  const lineAt = (at: number) => source.slice(0, at).split("\n").length;

  /** Scans code from `at` to its end, or to the brace that ends a value of a template. */
  const code = (at: number, inTemplate: boolean): number => {
    let depth = 0, before = "";
    while (at < source.length) {
      const char = source[at], two = source.slice(at, at + 2);
      if (two === "//") at = lineEnd(at);
      else if (two === "/*") at = source.indexOf("*/", at) + 2;
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
    found.push({ text: unescaped(source.slice(start + 1, at)), line: lineAt(start) });
    return at + 1;
  };

  const template = (start: number): number => {
    const index = found.push({ text: "", line: lineAt(start) }) - 1;
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
    found[index] = { text: unescaped(text), line: found[index].line };
    return at + 1;
  };

  const regex = (start: number): number => {
    let at = start + 1;
    for (let inClass = false; source[at] !== "/" || inClass; at++) {
      if (source[at] === "\\") at++;
      else if (source[at] === "[") inClass = true;
      else if (source[at] === "]") inClass = false;
    }
    return at + 1;
  };

  code(0, false);
  return found;
}

function unescaped(text: string): string {
  return text.replaceAll(/\\(\n|.)/g, (_, char: string) => char === "n" || char === "\n" ? "\n" : char === "t" ? " " : char);
}
