// A command at the prompt of a guest's shell: the line that is typed, and its output and exit
// status in the text of the console. The shell prints words around the output, each twice: a line
// of the kernel tears at most one of them.

import { PROMPT, shellQuoted } from "../../kit/support/text/shell.ts";
import { beforeStamp } from "./ktap-line.ts";

/** The exit status of a test that was skipped, as kselftest has it. */
export const SKIPPED = 4;

/** A command of the user, for a shell apart: it may end its shell, or change its state. */
export const inShellApart = (command: string): string => `sh -c ${shellQuoted(command)}`;

/** Both words begin so. */
const wordOf = (number: number) => `el2-run-${number}`;

/**
 * The line, with its end. The words are put together by printf: the echo of the line has none. The
 * line is short, as a guest executes thousands of instructions to edit and echo a character.
 * @param number of the command in its run
 */
export function typedLine(command: string, number: number): string {
  const word = wordOf(number);
  return `printf '\\n${word}%s' : :;echo;${command};printf '\\n${word}=%s' $? $?;echo\n`.replaceAll("\n", "\r");
}

/** A command for a shell. */
export interface ShellCommand {
  readonly console: string;
  /** As the shell at the prompt takes it. */
  readonly command: string;
  /** Of the command in its run. */
  readonly number: number;
  /** Virtual time (ns). */
  readonly end: number;
}

/** The output of a command, line by line. */
export class ShellOutput {
  readonly #begins: string;
  readonly #ends: RegExp;
  #begun = false;
  /** The exit status, after the last line. */
  status: number | undefined;

  /** @param number as that of `typedLine` */
  constructor(number: number) {
    this.#begins = `${wordOf(number)}:`;
    this.#ends = new RegExp(`^${wordOf(number)}=(\\d{1,3})`);
  }

  /** Takes a line of the console; whether it belongs to the output. */
  take(line: string): boolean {
    const word = line.trimEnd();
    const end = this.#ends.exec(word);
    if (end) this.status = Number(end[1]);
    if (end || this.status !== undefined) return false;
    if (!word.startsWith(this.#begins)) return this.#begun;
    this.#begun = true;
    return false;
  }
}

/** Whether the end of a console is a prompt, whatever the kernel has printed after it. */
export function isPrompt(end: string): boolean {
  const lines = end.split(/\r*\n/);
  const last = lines.findLastIndex((line) => beforeStamp(line) !== "");
  if (last < 0) return false;
  const text = beforeStamp(lines[last]);
  return (last === lines.length - 1 || text !== lines[last]) && PROMPT.test(text);
}
