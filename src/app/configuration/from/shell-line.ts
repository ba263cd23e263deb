// The words of a command that somebody pasted: quotes, backslashes, continued lines and comments,
// as a POSIX shell takes them (POSIX.1-2017, Shell Command Language, 2.2 and 2.3). Nothing is
// expanded: a value that only a shell knows is an error.

import { UserError } from "../../../kit/support/problem.ts";
import { KiB } from "../../../kit/support/values/sizes.ts";
import { terminalWord } from "../../../kit/support/text/terminal-text.ts";

/** Characters of a command line, and its words. */
export const LINE_MAX = 64 * KiB, WORDS_MAX = 2048;

/** A command, and what follows it on the line, which is for the shell. */
export interface ShellLine {
  readonly words: readonly string[];
  readonly rest: string;
}

/** A backslash and the end of its line, which a shell removes. */
const CONTINUED = /\\\r?\n/y;
/** A variable, a command or a sum, whose value the shell would put there. */
const EXPANSION = /\$(?:\{[^}]*\}?|\((?:[^)]*)\)?|\w+|[@*#?!])|`[^`]*`?/y;
/** A redirection, with the number of what it redirects and its file. */
const REDIRECTION = /\d*[<>]{1,2}&?[ \t]*(?:\d+|-|"[^"]*"|'[^']*'|[^\s'"<>|&;]+)/y;
const PLAIN = /[^\s'"\\$`|&;<>]+/y, BLANKS = /[ \t\r]+/y, COMMENT = /#[^\n]*/y;
const SINGLE = /'([^']*)'/y, DOUBLE = /[^"\\$`]+/y;
/** A prompt before a pasted command. */
const PROMPTS = ["$", "#", "%"];

/**
 * The words of the first command of a text.
 * @throws UserError for an open quote, and for what only a shell knows
 */
export function shellCommand(text: string): ShellLine {
  if (text.length > LINE_MAX) throw new UserError(`the command line has ${text.length} characters`, `it may have ${LINE_MAX}`);
  if (text.includes("\0")) throw new UserError("the command line has a byte 0", "remove it");
  return new ShellReader(text).command();
}

class ShellReader {
  #at = 0;
  readonly #words: string[] = [];
  /** The word that is read; undefined between words. */
  #word: string | undefined;

  constructor(readonly text: string) {}

  command(): ShellLine {
    while (this.#at < this.text.length && this.#part()) {
      if (this.#words.length > WORDS_MAX) throw new UserError(`the command line has more than ${WORDS_MAX} words`);
    }
    this.#endWord();
    return { words: this.#words, rest: this.text.slice(this.#at).trim() };
  }

  /** Reads a part of a word, or what is between words; false at the end of the command. */
  #part(): boolean {
    if (this.#match(CONTINUED) !== undefined) return true;
    if (this.#match(BLANKS) !== undefined) return this.#endWord();
    const char = this.text[this.#at];
    if (char === "\n") {
      this.#endWord();
      this.#at++;
      return this.#words.length === 0;
    }
    if (this.#word === undefined && this.#words.length > 0 && char === "#" && this.#match(COMMENT) !== undefined) return true;
    if (this.#match(REDIRECTION) !== undefined) return this.#endWord();
    if ("|&;<>".includes(char)) return false;
    return this.#ofWord(char);
  }

  #ofWord(char: string): boolean {
    if (char === "'") return this.#add(this.#match(SINGLE)?.slice(1, -1) ?? this.#open(char));
    if (char === '"') return this.#doubleQuoted();
    if (char === "\\") return this.#add(this.text[this.#at + 1] ?? "", 2);
    if (char === "$" || char === "`") return this.#dollar();
    return this.#add(this.#match(PLAIN) ?? "");
  }

  #doubleQuoted(): boolean {
    const start = this.#at++;
    this.#add("");
    for (;;) {
      const char = this.text[this.#at];
      if (char === undefined) this.#open('"', start);
      if (char === '"') return this.#add("", 1);
      if (this.#match(CONTINUED) !== undefined) continue;
      const plain = this.#match(DOUBLE);
      if (plain !== undefined) this.#add(plain);
      else if (char === "\\") {
        const next = this.text[this.#at + 1] ?? "";
        this.#add('"\\$`'.includes(next) ? next : `\\${next}`, 2);
      } else this.#dollar();
    }
  }

  /** A `$` that stands for itself, or the error for what the shell would put there. */
  #dollar(): boolean {
    const expansion = this.#match(EXPANSION);
    if (expansion === undefined) return this.#add(this.text[this.#at], 1);
    const what = `${terminalWord(expansion)} has no value here: only the shell of the line knows it`;
    throw new UserError(what, "write the value in its place, or give the line in double quotes, so that your shell fills it in");
  }

  #open(quote: string, at = this.#at): never {
    const from = terminalWord(this.text.slice(at, at + 20));
    throw new UserError(`the quote ${quote} has no end, from ${from}`, `close it with ${quote}`);
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.text)?.[0];
    if (found !== undefined) this.#at += found.length;
    return found;
  }

  #add(text: string, length = 0): true {
    this.#word = (this.#word ?? "") + text;
    this.#at += length;
    return true;
  }

  #endWord(): true {
    const first = this.#words.length === 0 && this.#word !== undefined && PROMPTS.includes(this.#word);
    if (this.#word !== undefined && !first) this.#words.push(this.#word);
    this.#word = undefined;
    return true;
  }
}
