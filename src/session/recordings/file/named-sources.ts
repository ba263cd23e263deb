// The source files that the programs of a recording name: those of their debug information (DWARF).

import * as v from "valibot";
import { DebugInfo } from "../../../inside/symbols/debug-info.ts";
import { isTold } from "../../../kit/support/problem.ts";
import { RecordingError } from "./recording.ts";
import { NAME } from "./sources.ts";

/** Names of one recording: headers that are not on this computer, too. */
const NAMES_MAX = 65_536;

/**
 * Paths of the source files that the programs of a plan name.
 * @param plan with its files
 * @throws RecordingError for too many
 */
export function namedSources(path: string, plan: object): string[] {
  const names = new Set<string>();
  for (const file of filesIn(plan)) {
    for (const name of namesIn(file)) if (v.is(NAME, name)) names.add(name);
    if (names.size > NAMES_MAX) throw new RecordingError(`${path}: its programs name more than ${NAMES_MAX} source files`);
  }
  return [...names].sort();
}

function* filesIn(value: unknown): Generator<Uint8Array> {
  if (value instanceof Uint8Array) yield value;
  else if (typeof value === "object" && value !== null) { for (const part of Object.values(value)) yield* filesIn(part); }
}

/** A file that is damaged, or not an ELF file of this machine, names none. */
function namesIn(file: Uint8Array): readonly string[] {
  try {
    return DebugInfo.of(file)?.files() ?? [];
  } catch (error) {
    if (!isTold(error)) throw error;
    return [];
  }
}
