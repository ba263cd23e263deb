// A file of JSON in which another program has a machine.

import { cannotRead, readToEnd } from "../../../kit/support/files/named-file.ts";
import { problemOf, UserError, within } from "../../../kit/support/problem.ts";
import { KiB } from "../../../kit/support/values/sizes.ts";
import { terminalWord } from "../../../kit/support/text/terminal-text.ts";
import { isTable } from "../config.ts";

/** Bytes of a file. */
const TEXT_MAX = 256 * KiB;

/** The table of a file. @throws UserError that names the file */
export function readTable(path: string): Record<string, unknown> {
  let bytes: Uint8Array;
  try {
    bytes = readToEnd(path);
  } catch (error) {
    throw new UserError(cannotRead(error, terminalWord(path)));
  }
  if (bytes.length > TEXT_MAX) throw new UserError(`${terminalWord(path)} has ${bytes.length} bytes`, `it may have ${TEXT_MAX}`);
  const table = parsed(path, new TextDecoder().decode(bytes));
  if (!isTable(table)) throw new UserError(`${terminalWord(path)} is not a table of JSON`);
  return table;
}

function parsed(path: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new UserError(within(terminalWord(path), problemOf(error)));
  }
}
