// What fails beside a run, in a line for display.

import { isOfSystem } from "./cache.ts";
import { terminalText } from "./terminal-text.ts";

/**
 * Says it on stderr. Where that cannot be written, such as a log on a full disk, nobody hears it,
 * and what runs continues.
 */
export function warn(text: string): void {
  try {
    console.error(`el2: ${terminalText(text)}`);
  } catch (error) {
    if (!isOfSystem(error)) throw error;
  }
}
