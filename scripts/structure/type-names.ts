// Names of types that are declared in several places: one that stands for two things which a reader
// meets in a day has to be qualified.

import type { Source } from "./sources.ts";

/** A name, and where it is declared. */
export interface TypeName {
  readonly name: string;
  readonly files: readonly string[];
  /** Those of them that show it to others. */
  readonly exporters: readonly string[];
}

/** Declarations, but for another name of the same thing: `export type Vmid = AnyVmid;`. */
const DECLARATION = /^(export )?(?:declare )?(?:abstract )?(?:interface|type|class|enum|const enum) ([A-Z]\w*)\b(?! = [A-Z]\w*;)/gm;

/** All names of types, those with the most declarations first. */
export function typeNames(sources: readonly Source[]): TypeName[] {
  const found = new Map<string, { files: string[]; exporters: string[] }>();
  for (const { path, text } of sources) {
    for (const [, exported, name] of text.matchAll(DECLARATION)) {
      const one = found.getOrInsertComputed(name, () => ({ files: [], exporters: [] }));
      one.files.push(path);
      if (exported) one.exporters.push(path);
    }
  }
  return [...found].map(([name, one]) => ({ name, ...one })).sort((a, b) => b.files.length - a.files.length || (a.name < b.name ? -1 : 1));
}

/**
 * The names that two files of one floor, a folder of src, export: their readers meet both. Names of
 * libraries are apart.
 */
export function namesOfTwoThings(names: readonly TypeName[]): TypeName[] {
  return names.filter(({ exporters }) => {
    const floors = [...new Set(exporters)].filter((file) => !file.endsWith(".d.ts")).map((file) => file.slice(0, file.indexOf("/")));
    return new Set(floors).size < floors.length;
  });
}
