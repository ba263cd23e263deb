// Files that are being written under a passing name. None of them outlives the program, whether it
// calls `Deno.exit` or a signal ends it.

import { END_CODES, END_SIGNALS, onUnheardSignals } from "../computer/signals.ts";
import { removeIfThere } from "./own-files.ts";

const paths = new Set<string>();
let atEnd = false, hears = false;

/**
 * From now on unfinished files are removed when the program ends. For the command line: a library
 * leaves signals to its program.
 */
export function removeUnfinishedAtEnd(): void {
  if (atEnd) return;
  atEnd = true;
  globalThis.addEventListener("unload", () => paths.forEach(removeIfThere));
}

/** A file gets a passing name. */
export function addUnfinished(path: string): void {
  paths.add(path);
  if (!atEnd || hears) return;
  hears = true;
  // Where nobody ends the work in order, the end of the program does. From now on: a signal that
  // comes while a file is written is heard later.
  onUnheardSignals(END_SIGNALS, (signal) => Deno.exit(END_CODES[signal]));
}

/** It has its own name now, or is gone. */
export function removeUnfinished(path: string): void {
  paths.delete(path);
}
