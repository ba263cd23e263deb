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
  // A signal that nothing else listens for ends the program in order. It is listened for before the
  // first file is there: a signal during a synchronous write is delivered only after it.
  onUnheardSignals(END_SIGNALS, (signal) => Deno.exit(END_CODES[signal]));
}

/** It has its own name now, or is gone. */
export function removeUnfinished(path: string): void {
  paths.delete(path);
}
