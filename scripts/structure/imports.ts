// Ties between the files of a folder: imports, circles of them, and pairs of folders that import
// each other. Types count as values do. Every folder counts by itself, a parent and its
// child too.

import { relative, resolve } from "node:path";
import { sourceFiles } from "./source-files.ts";

/** One import: of a file by a file, as paths below the root. */
export interface Import {
  readonly from: string;
  readonly to: string;
}

/** The modules that a file names: static and dynamic imports, re-exports, workers' `new URL`. */
export function importsOf(text: string): string[] {
  const statements = text.matchAll(
    /^\s*(?:import|export)\b[^;"'`]*?\bfrom\s*"([^"]+)"|^\s*import\s*"([^"]+)"|\bimport\(\s*"([^"]+)"\)|new URL\(\s*"([^"]+\.ts)"/gm,
  );
  return [...statements].map((match) => match.slice(1).find((specifier) => specifier !== undefined) ?? "");
}

/** All imports between the files below a folder. */
export function importsBelow(root: string): Import[] {
  const files = new Set(sourceFiles(root));
  const imports: Import[] = [];
  for (const file of files) {
    for (const specifier of importsOf(Deno.readTextFileSync(file))) {
      if (!specifier.startsWith(".")) continue;
      const target = resolve(file, "..", specifier);
      if (files.has(target) && target !== file) imports.push({ from: relative(root, file), to: relative(root, target) });
    }
  }
  return imports;
}

/** The strongly connected sets of more than one node, largest first (Tarjan 1972). */
export function circles(edges: readonly Import[]): string[][] {
  const targets = new Map<string, Set<string>>();
  for (const { from, to } of edges) {
    if (!targets.has(from)) targets.set(from, new Set());
    targets.get(from)!.add(to);
  }
  const index = new Map<string, number>();
  const low = new Map<string, number>();
  const open: string[] = [];
  const found: string[][] = [];
  const visit = (node: string) => {
    index.set(node, index.size);
    low.set(node, index.get(node)!);
    open.push(node);
    for (const next of targets.get(node) ?? []) {
      if (!index.has(next)) visit(next);
      if (open.includes(next)) low.set(node, Math.min(low.get(node)!, low.get(next)!));
    }
    if (low.get(node) !== index.get(node)) return;
    const circle = open.splice(open.indexOf(node));
    if (circle.length > 1) found.push(circle.sort());
  };
  for (const node of targets.keys()) if (!index.has(node)) visit(node);
  return found.sort((a, b) => b.length - a.length);
}

/** The folder of a file; files beside the root have the folder ".". */
export function folderOf(file: string): string {
  const slash = file.lastIndexOf("/");
  return slash < 0 ? "." : file.slice(0, slash);
}

/** Pairs of folders of which each imports from the other, with the imports that do so. */
export function twoWayPairs(imports: readonly Import[]): { a: string; b: string; imports: Import[] }[] {
  const between = new Map<string, Import[]>();
  for (const one of imports) {
    const key = `${folderOf(one.from)} ${folderOf(one.to)}`;
    between.set(key, [...between.get(key) ?? [], one]);
  }
  return [...between].flatMap(([key, forth]) => {
    const [a, b] = key.split(" ");
    const back = between.get(`${b} ${a}`);
    return a < b && back ? [{ a, b, imports: [...forth, ...back] }] : [];
  });
}
