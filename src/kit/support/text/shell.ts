// Words and prompts of a POSIX shell.

/** The end of a console's output when it is ready for input: a shell's prompt, or a login's. */
export const PROMPT = /(?:[#$>]|login:) $/;

/** A text in single quotes, which a shell takes as it is. */
export const shellQuoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

/** A word of a line. */
export interface ShellWord {
  readonly text: string;
  /** A part of it is quoted. */
  readonly quoted: boolean;
}

/**
 * Blanks; or a part of a word: in single quotes, in double quotes, after a backslash, plain. A
 * quote may still be open.
 */
const PART = /(\s+)|'([^']*)(?:'|$)|"((?:[^"\\]|\\[^])*)(?:"|$)|\\([^]?)|([^\s'"\\]+)/gy;

/** The words of a line, as a shell takes them apart; nothing in it is expanded. */
export function shellWords(line: string): ShellWord[] {
  const words: ShellWord[] = [];
  let word: ShellWord | undefined;
  for (const [, blanks, single, double, escaped, plain] of line.matchAll(PART)) {
    if (blanks !== undefined) {
      if (word) words.push(word);
      word = undefined;
      continue;
    }
    const text = single ?? double?.replaceAll(/\\(["\\$`])/g, "$1") ?? escaped ?? plain;
    word = { text: (word?.text ?? "") + text, quoted: (word?.quoted ?? false) || plain === undefined };
  }
  return word ? [...words, word] : words;
}
