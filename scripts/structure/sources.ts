// The sources below a folder with what counts look at: texts, string literals and imports.

import { relative, resolve } from "node:path";
import { sourceFiles } from "./source-files.ts";
import { type Literal, stringLiterals } from "./source-texts.ts";

/** A file: its path below the root, and its text. */
export class Source {
  #literals: readonly Literal[] | undefined;

  constructor(readonly path: string, readonly text: string) {}

  /** Its string literals, but for the modules that it imports. */
  get literals(): readonly Literal[] {
    return this.#literals ??= stringLiterals(this.text).filter(({ from }) => !/\b(?:from|import\() ?$/.test(this.before(from)));
  }

  /** The code before a place, as far as a pattern looks. */
  before(at: number): string {
    return this.text.slice(Math.max(0, at - 40), at);
  }

  /** The code after a place, as far as a pattern looks. */
  after(at: number): string {
    return this.text.slice(at, at + 60);
  }
}

/** All TypeScript files below a folder. */
export function sourcesBelow(root: string): Source[] {
  return [...sourceFiles(root)].map((file) => new Source(relative(root, file), Deno.readTextFileSync(file)));
}

/** A name that a file imports or shows again: from which file, as paths below the root. */
export interface ImportedName {
  readonly from: string;
  readonly to: string;
  readonly name: string;
}

/** The names in the braces of static imports and re-exports, types included. */
export function importedNames(root: string, { path, text }: Source): ImportedName[] {
  const statements = text.matchAll(/^(?:import|export)\s+(?:type\s+)?\{([^}]*)\}\s*from\s*"(\.[^"]+)"/gm);
  return [...statements].flatMap(([, names, specifier]) => {
    const to = relative(root, resolve(root, path, "..", specifier));
    return names.split(",").map((name) => name.trim().replace(/^type | as .*$/g, "")).filter(Boolean).map((name) => ({
      from: path,
      to,
      name,
    }));
  });
}
