// How files and folders are cut: small files, flat folders, lists in pieces, lines of code.

import { relative } from "node:path";
import { sourceFiles } from "./source-files.ts";
import type { Place } from "./counts.ts";

export const SIZES = { smallFile: 30, flatFolder: 25 };

/** The counts of the files below a folder. */
export interface Sizes {
  /** Files of fewer than 30 lines. */
  readonly smallFiles: Place[];
  /** `...{ a, b }`, which only makes the formatter join lines. */
  readonly spreads: Place[];
  /** Folders with more than 25 files directly in them. */
  readonly flatFolders: Place[];
  /** Lines apart from imports, comments and empty ones. */
  readonly codeLines: number;
}

export function sizesBelow(root: string): Sizes {
  const smallFiles: Place[] = [], spreads: Place[] = [], files = new Map<string, number>();
  let codeLines = 0;
  for (const path of sourceFiles(root)) {
    const text = Deno.readTextFileSync(path), file = relative(root, path);
    const lines = text.replace(/\n$/, "").split("\n");
    if (lines.length < SIZES.smallFile) smallFiles.push({ file, line: 1, text: `${lines.length} lines` });
    for (const [index, line] of lines.entries()) {
      for (const [found] of line.matchAll(/\.\.\.\{.*?\}|\.\.\.\{.*/g)) spreads.push({ file, line: index + 1, text: found });
    }
    const folder = file.slice(0, Math.max(0, file.lastIndexOf("/"))) || ".";
    files.set(folder, (files.get(folder) ?? 0) + 1);
    codeLines += codeLinesOf(text);
  }
  const flatFolders = [...files].filter(([, count]) => count > SIZES.flatFolder)
    .map(([file, count]) => ({ file, line: 1, text: `${count} files` }));
  return { smallFiles, spreads, flatFolders, codeLines };
}

const IMPORT = /^(?:import|export)\b[^;"'`]*?\bfrom\s*"[^"]+"(?: with \{[^}]*\})?;|^import\s*"[^"]+";/gm;

/** Lines of a source apart from imports, re-exports, comments and empty ones. */
export function codeLinesOf(text: string): number {
  let count = 0, inComment = false;
  for (const line of text.replaceAll(IMPORT, "").split("\n").map((line) => line.trim())) {
    if (inComment) inComment = !line.includes("*/");
    else if (line.startsWith("/*")) inComment = !line.includes("*/");
    else if (line !== "" && !line.startsWith("//")) count++;
  }
  return count;
}
