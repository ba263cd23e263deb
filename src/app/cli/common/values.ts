// Values on the command line: sizes, durations, counts. Each parser says what is wrong and what
// would be right.

import { resolve } from "node:path";
import { Failure } from "./failure.ts";
import { isTraceKind, TRACE_KINDS, type TraceKind } from "../../../machine/abi/trace.ts";
import { paId, parseAs, parseId } from "../../../model/queries/ids.ts";
import type { QueryArgument } from "../../../model/queries/query-arguments.ts";
import { bytesOf } from "../../../kit/support/text/byte-text.ts";
import { FilterError } from "../../../model/queries/filters/filter.ts";
import { checkFilter } from "../../../model/queries/filters/temporal-filter.ts";
import type { Table } from "../../../model/queries/table.ts";
import { EVENTS } from "../../../model/queries/tables.ts";
import { BadArgument } from "./bad-argument.ts";
import { within } from "../../../kit/support/problem.ts";

const UNITS: Record<string, number> = { "": 1, K: 1024, M: 1024 ** 2, G: 1024 ** 3 };
const TIMES: Record<string, number> = { ns: 1, us: 1e3, ms: 1e6, s: 1e9, m: 60e9, h: 3600e9 };

/** A size in bytes: hexadecimal after 0x, or a number with K, M, G or KiB, MiB, GiB, all binary. */
export function parseSize(text: string): number {
  if (/^0x[0-9a-f]{1,13}$/i.test(text)) return Number(text);
  const match = /^(\d+(?:\.\d+)?)([KMG]?)(?:iB|B)?$/.exec(text);
  const bytes = match ? Number(match[1]) * UNITS[match[2]] : NaN;
  if (!Number.isInteger(bytes)) throw new BadArgument(`"${text}" is not a size`, "use for example 512MiB or 1GiB");
  return bytes;
}

/** A duration in ns: a number with ns, us, ms, s, m or h. */
export function parseDuration(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ns|us|ms|s|m|h)$/.exec(text);
  if (!match) throw new BadArgument(`"${text}" is not a duration`, "use for example 10s or 500ms");
  return Math.round(Number(match[1]) * TIMES[match[2]]);
}

/** A whole number in a range. */
export function parseWhole(minimum: number, maximum: number): (text: string) => number {
  return (text) => {
    const value = /^\d+$/.test(text) ? Number(text) : NaN;
    if (!(value >= minimum && value <= maximum)) throw new BadArgument(`"${text}" is outside ${minimum}..${maximum}`);
    return value;
  };
}

/**
 * A filter of events.
 * @param flag its option
 * @throws Failure that marks the invalid character
 */
export const checkedEventFilter = (flag: string, text: string): string => checkedFilter(flag, text, EVENTS);

/** A place: a number alone is a physical address. */
export const placeOf = (text: string): string => /^0x[0-9a-f]+$/i.test(text) ? paId(BigInt(text)) : text;

/**
 * A place in memory, as `mem` takes it.
 * @throws Failure
 */
export function checkedPlace(command: string, text: string): string {
  const place = placeOf(text), kind = parseId(place)?.kind;
  if (kind === "pa" || kind === "ipa") return place;
  throw new Failure(`${command}: "${text}" is not an address`, "use pa:0x58400000 or ipa:VM/0x80003000");
}

/**
 * A filter of a table's rows.
 * @param flag its option
 * @throws Failure that marks the invalid character
 */
export function checkedFilter(flag: string, text: string, table: Table): string {
  try {
    checkFilter(text, table);
    return text;
  } catch (error) {
    if (!(error instanceof FilterError)) throw error;
    throw new Failure(within(flag, error.marked));
  }
}

/** A size in a range of bytes. */
export function parseSizeIn(minimum: number, maximum: number): (text: string) => number {
  return (text) => {
    const size = parseSize(text);
    if (!(size >= minimum && size <= maximum)) throw new BadArgument(`"${text}" is outside ${minimum}..${maximum} bytes`);
    return size;
  };
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

/** An address: decimal, or hexadecimal after 0x. */
export function parseAddress(text: string): number {
  const value = /^(0x[0-9a-f]+|\d+)$/i.test(text) ? Number(text) : NaN;
  if (!Number.isSafeInteger(value)) throw new BadArgument(`"${text}" is not an address`, "use for example 0x40080000");
  return value;
}

/** A mask of 64 bits: decimal, or hexadecimal after 0x. */
export const parseMask = (text: string): bigint => parse64Bits("mask", text);

/** A number of 64 bits in the same form. */
export const parseValue = (text: string): bigint => parse64Bits("number", text);

function parse64Bits(what: string, text: string): bigint {
  const value = /^(0x[0-9a-f]+|\d+)$/i.test(text) ? BigInt(text) : -1n;
  if (value !== BigInt.asUintN(64, value)) throw new BadArgument(`"${text}" is not a ${what} of 64 bits`, "use for example 0x1");
  return value;
}

/** Bytes: hexadecimal digits, blanks between allowed, or text after `text:`. */
export function parseBytes(text: string): Uint8Array {
  const bytes = bytesOf(text);
  if (!bytes) throw new BadArgument(`"${text}" is not a list of bytes`, "use for example 21010f00 or text:hello");
  return bytes;
}

/** Bytes as `parseBytes` reads them, or a text that cannot be meant as hexadecimal digits. */
export function parseMessage(text: string): Uint8Array {
  return /[^0-9a-fx\s_]/i.test(text) && !text.startsWith("text:") ? new TextEncoder().encode(text) : parseBytes(text);
}

/** Kinds of events, separated by commas; `all`. */
export function parseKinds(text: string): TraceKind[] {
  if (text === "all") return [...TRACE_KINDS];
  const names = text.split(",");
  const wrong = names.find((name) => !isTraceKind(name));
  if (wrong !== undefined) throw new Failure(`--kinds: "${wrong}" is not a kind of event`, `use ${TRACE_KINDS.join(", ")}`);
  return names.filter(isTraceKind);
}

/** A place of a run: digits alone are instructions; `insn:N/ORDER` is the id of a row. */
export function parsePlaceOfRun(text: string): QueryArgument<"before"> {
  const row = parseAs("insn", text);
  if (row) return { kind: "instructions", count: row.number, order: row.order };
  return /^\d+$/.test(text)
    ? { kind: "instructions", count: parseWhole(0, Number.MAX_SAFE_INTEGER)(text) }
    : { kind: "time", at: parseDuration(text) };
}
