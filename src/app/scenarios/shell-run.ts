// A command at the prompt of a guest's shell: the line that is typed, and its output and exit
// status in the text of the console. The shell prints words around the output, each twice: a line
// of the kernel tears at most one of them.

import { PROMPT, shellQuoted } from "../../kit/support/text/shell.ts";
import { beforeStamp } from "./ktap-line.ts";

/** The exit status of a test that was skipped, as kselftest has it. */
export const SKIPPED = 4;

const WORD = "el2-run";

/**
 * The line, with its end. The words are put together by printf: the echo of the line has none.
 * @param number of the command in its run
 */
export function typedLine(command: string, number: number): string {
  const begins = `printf '\\n${WORD}-%s-%s' ${number} begins ${number} begins; echo`;
  const ends = `s=$?; printf '\\n${WORD}-%s-%s-%s' ${number} ends $s ${number} ends $s; echo`;
  return `${begins}; sh -c ${shellQuoted(command)}; ${ends}\n`.replaceAll("\n", "\r");
}

/** A command for a shell. */
export interface ShellCommand {
  readonly console: string;
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
    this.#begins = `${WORD}-${number}-begins`;
    this.#ends = new RegExp(`^${WORD}-${number}-ends-(\\d{1,3})`);
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
