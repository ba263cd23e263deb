// Counts what CONTRIBUTING asks to keep small, below a folder: long functions and files, long lists
// of parameters, `!` and casts.

import { relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { sourceFiles } from "./source-files.ts";
import type { Fact } from "./lint-plugin.ts";

/** Lines of a function, parameters, and lines of a file that are not yet too many. */
export const LIMITS = { functionLines: 80, parameters: 6, fileLines: 500 };

/** A counted place: a path below the root, a line from 1, and the thing's name or number. */
export interface Place {
  readonly file: string;
  readonly line: number;
  readonly text: string;
}

export interface Counts {
  /** Functions of more than 80 lines, but for tables: those that are mostly one literal. */
  readonly longFunctions: Place[];
  /** Tables of more than 80 lines. */
  readonly longTables: Place[];
  /** Functions of more than 6 parameters. */
  readonly manyParameters: Place[];
  /** `x!` */
  readonly nonNull: Place[];
  /** `x as T`, `<T> x`, but for `as const` */
  readonly casts: Place[];
  /** Files of more than 500 lines. */
  readonly longFiles: Place[];
}

/**
 * Counts below a folder; paths are relative to `root`.
 * @throws Error if `deno lint` cannot parse one of its files
 */
export async function countsBelow(root: string, folder: string): Promise<Counts> {
  const counts: Counts = { longFunctions: [], longTables: [], manyParameters: [], nonNull: [], casts: [], longFiles: [] };
  for (const file of sourceFiles(folder)) {
    const lines = Deno.readTextFileSync(file).replace(/\n$/, "").split("\n").length;
    if (lines > LIMITS.fileLines) counts.longFiles.push({ file: relative(root, file), line: 1, text: `${lines} lines` });
  }
  for (const { fact, ...place } of await factsBelow(root, folder)) {
    if (fact.kind === "non-null") counts.nonNull.push({ ...place, text: "!" });
    else if (fact.kind === "cast") counts.casts.push({ ...place, text: "as" });
    else {
      const { name, lines, parameters, table } = fact;
      const long = table ? counts.longTables : counts.longFunctions;
      if (lines > LIMITS.functionLines) long.push({ ...place, text: `${name}: ${lines} lines` });
      if (parameters > LIMITS.parameters) counts.manyParameters.push({ ...place, text: `${name}: ${parameters} parameters` });
    }
  }
  return counts;
}

async function factsBelow(root: string, folder: string): Promise<{ file: string; line: number; fact: Fact }[]> {
  const config = resolve(import.meta.dirname!, "lint.json");
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), { args: ["lint", "--json", "--config", config, folder] }).output();
  const text = new TextDecoder().decode(stdout);
  if (!text.startsWith("{")) throw new Error(`deno lint: ${new TextDecoder().decode(stderr)}`);
  const { diagnostics, errors } = JSON.parse(text) as LintReport;
  if (errors.length) throw new Error(`deno lint: ${errors.map(({ message }) => message).join("; ")}`);
  return diagnostics.map(({ filename, range, message }) => ({
    file: relative(root, fileURLToPath(filename)),
    line: range.start.line,
    fact: JSON.parse(message),
  }));
}

/** The output of `deno lint --json`. */
interface LintReport {
  readonly diagnostics: readonly { filename: string; range: { start: { line: number } }; message: string }[];
  readonly errors: readonly { message: string }[];
}
