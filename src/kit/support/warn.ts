// Reports failures outside of a run, in a line for display.

import { isOfSystem } from "./system-error.ts";
import { terminalText } from "./text/terminal-text.ts";

let before: (() => string | undefined) | undefined;

/**
 * Calls this before each line on stderr: a screen is on the terminal that has to go first, or a
 * line of a console whose end it gives.
 */
export function beforeNextLine(call: (() => string | undefined) | undefined): void {
  before = call;
}

/** Says what has failed on stderr, after the program's name. */
export function warn(text: string): void {
  sayOnStderr(`el2: ${text}`);
}

/**
 * Writes a line on stderr, with control characters as text. If that fails, such as for a log on a
 * full disk or a terminal that has gone, the line is lost and the program continues.
 */
export function sayOnStderr(line: string): void {
  const end = before?.() ?? "";
  try {
    console.error(end + terminalText(line));
  } catch (error) {
    if (!isOfSystem(error)) throw error;
  }
}
