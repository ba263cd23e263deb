// Names that one level of src/ takes of another: how wide the faces between them are. Counted are
// the distinct names in the braces of static imports and re-exports, types included.

import { APP, MACHINE, roomOf, SESSION } from "./rooms.ts";
import { type ImportedName, importedNames, type Source } from "./sources.ts";

/** The distinct names that rooms import from other rooms, by static imports and re-exports. */
export function namesCrossed(names: readonly ImportedName[], by: ReadonlySet<string>, of: ReadonlySet<string>): string[] {
  const crossed = names.filter(({ from, to }) => by.has(roomOf(from)) && of.has(roomOf(to)));
  return [...new Set(crossed.map(({ name }) => name))].sort();
}

/** The names that cross the two faces. */
export interface Faces {
  /** Names that app takes of session, and session of the machine. */
  readonly ofSession: readonly string[];
  readonly ofMachine: readonly string[];
}

export function facesOf(root: string, sources: readonly Source[]): Faces {
  const names = sources.flatMap((source) => importedNames(root, source));
  return { ofSession: namesCrossed(names, APP, SESSION), ofMachine: namesCrossed(names, SESSION, MACHINE) };
}
