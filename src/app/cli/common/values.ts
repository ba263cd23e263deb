// Values of options on the command line, by the kinds that commands of a session have, and some of
// files and sockets.

import { InvalidArgumentError } from "commander";
import { resolve } from "node:path";
import { Failure } from "./failure.ts";
import { ArgumentError, type Kind } from "../../../model/commands/argument.ts";
import * as kinds from "../../../model/commands/kinds.ts";
import type { Table } from "../../../model/queries/table.ts";
import { type Problem, problemText, within } from "../../../kit/support/problem.ts";
import type { WayOut } from "../../../kit/support/text/way-out.ts";

/** Commander prints the text after the name of the option. */
export class BadArgument extends InvalidArgumentError {
  readonly problem: Problem;

  constructor(what: string, wayOut?: WayOut) {
    const problem = { what, wayOut };
    super(`${problemText(problem)}.`);
    this.problem = problem;
  }
}

/** A parser for an option of commander's. */
const parserOf = <T>(kind: Kind<T>) => (text: string): T => {
  try {
    return kind.parse(text);
  } catch (error) {
    if (!(error instanceof ArgumentError)) throw error;
    throw new BadArgument(error.problem.what, error.problem.wayOut);
  }
};

export const parseSize = parserOf(kinds.anySize);
export const parseDuration = parserOf(kinds.duration);
export const parsePlaceOfRun = parserOf(kinds.placeOfRun);
export const parseBytes = parserOf(kinds.bytes);
/** A whole number in a range. */
export const parseWhole = (minimum: number, maximum: number) => parserOf(kinds.whole(minimum, maximum));
/** A size in a range of bytes. */
export const parseSizeIn = (minimum: number, maximum: number) => parserOf(kinds.size(minimum, maximum));

/** Kinds of events, separated by commas; `all`. */
export const parseKinds = (text: string) => checkedValue("--kinds", kinds.eventKinds, text);

/**
 * A filter of events.
 * @param flag its option
 * @throws Failure that marks the invalid character
 */
export const checkedEventFilter = (flag: string, text: string): string => checkedValue(flag, kinds.eventFilter, text);

/**
 * A filter of a table's rows.
 * @param flag its option
 * @throws Failure that marks the invalid character
 */
export const checkedFilter = (flag: string, text: string, table: Table): string => checkedValue(flag, kinds.filterOf(table), text);

/**
 * The value of an option that commander does not check.
 * @throws Failure that names the option
 */
export function checkedValue<T>(flag: string, kind: Kind<T>, text: string): T {
  try {
    return kind.parse(text);
  } catch (error) {
    if (!(error instanceof ArgumentError)) throw error;
    throw new Failure(within(flag, error.problem));
  }
}

/** A TCP port; 0 is any that is free. */
export const parsePort = parseWhole(0, 65535);

/** Where gdb connects: a port, or the absolute path of a socket, which has a / in it. */
export function parseGdbPlace(text: string): number | string {
  return text.includes("/") ? resolve(text) : parsePort(text);
}

/** Ascending instruction counts, separated by commas. */
export function parseCounts(text: string): number[] {
  const counts = text.split(",").map((part) => /^\d+$/.test(part) ? Number(part) : NaN);
  if (counts.some((n, i) => !Number.isSafeInteger(n) || i > 0 && n <= counts[i - 1])) {
    throw new BadArgument(`"${text}" is not an ascending list of instruction counts`, "use for example 1000000,2000000");
  }
  return counts;
}
