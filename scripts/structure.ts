// Prints how src/ is built: circles of files and pairs of folders that import each other
// (structure/imports.ts), then each measure with its goal (structure/measures.ts).
//
//   deno task structure            all of it
//   deno task structure src        the same with the places that are counted
//   deno task structure FOLDER     ties and counts below one folder, with their places
//   deno task structure --json     with all places

import { resolve } from "node:path";
import { countsBelow } from "./structure/counts.ts";
import { circles, type Import, importsBelow, twoWayPairs } from "./structure/imports.ts";
import { COUNTED, COUNTED_KEYS, type Measure, measures } from "./structure/measures.ts";

/** Imports between the files of one circle. */
function within(circle: readonly string[], imports: readonly Import[]): Import[] {
  return imports.filter(({ from, to }) => circle.includes(from) && circle.includes(to));
}

function printTies(found: readonly string[][], pairs: ReturnType<typeof twoWayPairs>, imports: readonly Import[], details: boolean): void {
  const print = (tie: string, imports: readonly Import[]) => {
    console.log(tie);
    if (details) { for (const { from, to } of imports) console.log(`    ${from} -> ${to}`); }
  };
  for (const circle of found) print(`circle of ${circle.length} files: ${circle.join(", ")}`, within(circle, imports));
  for (const { a, b, imports } of pairs) print(`two-way: ${a} and ${b}`, imports);
  const large = found.filter((circle) => circle.length > 3).length;
  console.log(`${found.length} circles, ${large} of more than three files; ${pairs.length} two-way pairs of folders`);
}

/** One line per measure: its value, its goal, what it is. */
function printMeasures(all: readonly Measure[], details: boolean): void {
  console.log("    now    goal");
  for (const { value, goal, what, worst } of all) {
    console.log(`${String(value).padStart(7)} ${String(goal ?? "").padStart(7)}  ${what}`);
    if (details) { for (const one of worst) console.log(`                     ${one}`); }
  }
}

/** The counts of functions below a folder, with their places. */
async function printCounts(root: string, folder: string): Promise<void> {
  const counts = await countsBelow(root, folder);
  for (const key of COUNTED_KEYS) {
    console.log(`${String(counts[key].length).padStart(7)}  ${COUNTED[key].what}`);
    for (const { file, line, text } of counts[key]) console.log(`           ${file}:${line} ${text}`);
  }
}

if (import.meta.main) {
  const root = resolve(import.meta.dirname!, "../src");
  const folder = Deno.args.find((arg) => !arg.startsWith("--"));
  const below = folder?.replace(/^src(\/|$)|\/$/g, "") ?? "";
  const imports = importsBelow(root);
  const inside = (path: string) => below === "" || path === below || path.startsWith(`${below}/`);
  const found = circles(imports).filter((circle) => circle.some(inside));
  const pairs = twoWayPairs(imports).filter(({ a, b }) => inside(a) && inside(b));
  if (Deno.args.includes("--json")) {
    console.log(
      JSON.stringify({ circles: found, pairs, counts: await countsBelow(root, resolve(root, below)), measures: await measures() }, null, 2),
    );
  } else {
    printTies(found, pairs, imports, folder !== undefined);
    if (below === "") printMeasures(await measures(), folder !== undefined);
    else await printCounts(root, resolve(root, below));
  }
}
