// A configuration file of crosvm (`--cfg`; its book: "Command line options and configuration
// files"): JSON whose keys are the options of `crosvm run`, with the same parts; `kernel` is the
// word without an option. The words of the file replace the option.

import { problemOf, UserError, within } from "../../../kit/support/problem.ts";
import { terminalWord } from "../../../kit/support/text/terminal-text.ts";
import { isTable } from "../config.ts";
import { readTable } from "./json-file.ts";

/** Levels of lists and tables in the value of a part. */
const DEPTH_MAX = 4;

/**
 * Gives the words of a file to what reads those of a line.
 * @throws UserError that names the file
 */
export function withFileWords(path: string, read: (words: readonly string[]) => void): void {
  const table = readTable(path);
  try {
    read(Object.entries(table).flatMap(([key, value]) => (Array.isArray(value) ? value : [value]).flatMap((one) => wordsOf(key, one))));
  } catch (error) {
    throw error instanceof UserError ? new UserError(within(terminalWord(path), problemOf(error))) : error;
  }
}

function wordsOf(key: string, value: unknown): string[] {
  if (key === "cfg") throw new UserError("a configuration file names no other one");
  if (value === null || value === false) return [];
  if (key === "kernel") return [partOf(key, value)];
  const option = `--${key}`;
  if (value === true) return [option];
  if (!isTable(value)) return [option, partOf(key, value)];
  return [option, Object.entries(value).map(([part, one]) => `${part}=${quoted(partOf(`${key}.${part}`, one))}`).join(",")];
}

/** @throws UserError for a value that no option of a line can have */
function partOf(key: string, value: unknown, depth = 0): string {
  if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") return String(value);
  if (Array.isArray(value) && depth < DEPTH_MAX) return `[${value.map((one) => partOf(key, one, depth + 1)).join(",")}]`;
  throw new UserError(`${terminalWord(key)} has a value that the option does not have`);
}

/** Separators in a value are its own. */
function quoted(value: string): string {
  if (value.startsWith("[") || !/[,"'[\]]/.test(value)) return value;
  const quote = ['"', "'"].find((one) => !value.includes(one));
  if (quote === undefined) throw new UserError(`${terminalWord(value)} has quotes of both kinds`);
  return quote + value + quote;
}
