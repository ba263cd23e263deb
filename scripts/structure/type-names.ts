// Names of types that are declared in several places: one that stands for two things which a reader
// meets in a day has to be qualified.

import type { Source } from "./sources.ts";

/** A name, and where it is declared. */
export interface TypeName {
  readonly name: string;
  readonly files: readonly string[];
  /** Some of these show it to others. */
  readonly exported: number;
}

const DECLARATION = /^(export )?(?:declare )?(?:abstract )?(?:interface|type|class|enum|const enum) ([A-Z]\w*)/gm;

/** All names of types, those with the most declarations first. */
export function typeNames(sources: readonly Source[]): TypeName[] {
  const found = new Map<string, { files: string[]; exported: number }>();
  for (const { path, text } of sources) {
    for (const [, exported, name] of text.matchAll(DECLARATION)) {
      const one = found.getOrInsertComputed(name, () => ({ files: [], exported: 0 }));
      one.files.push(path);
      if (exported) one.exported++;
    }
  }
  return [...found].map(([name, one]) => ({ name, ...one })).sort((a, b) => b.files.length - a.files.length || (a.name < b.name ? -1 : 1));
}
