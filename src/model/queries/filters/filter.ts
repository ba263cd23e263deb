// The filter language (docs/design/workstation.md §5): the same in `/`, `--filter`, `--until`, stop
// rules and tests. A word matches any column; field=value != < <= > >= ~regex; irq=32..63; !term; a
// blank is and, | is or.

import { didYouMeanOneOf } from "../../../kit/support/text/did-you-mean.ts";
import { type Problem, UserError } from "../../../kit/support/problem.ts";
import { LinearRegex } from "../../../kit/support/text/linear-regex.ts";
import { cellText } from "../texts/format.ts";
import { nameOf } from "../ids.ts";
import type { Column, ColumnKind, Json, Row, Table } from "../table.ts";
import { GiB, KiB, MiB } from "../../../kit/support/values/sizes.ts";
import { way, type WayOut } from "../../../kit/support/text/way-out.ts";

/** A filter that can be asked. */
export interface Filter {
  readonly text: string;
  matches(row: Row): boolean;
}

/** A filter that is wrong: where and why. */
export class FilterError extends UserError {
  /** @param at index of the character in the text. */
  constructor(readonly text: string, readonly at: number, what: string, wayOut?: WayOut) {
    super(what, wayOut);
  }

  /** The error; below it the text, and a line with `^` under the character. */
  get marked(): Problem {
    const { what, wayOut } = this.problem, mark = `\n  ${this.text}\n  ${" ".repeat(this.at)}^`;
    return wayOut === undefined ? { what: what + mark } : { what, wayOut: way`${wayOut}${mark}` };
  }
}

type Test = (row: Row) => boolean;

/** A word of a filter, and the index of its first character. */
export interface Token {
  readonly text: string;
  readonly at: number;
}

/**
 * Parses a filter for rows of a table.
 * @throws FilterError
 */
export function parseFilter(text: string, table: Table): Filter {
  const alternatives = alternativesOf(text).map((terms) => terms.map((token) => term(text, token, table)));
  const empty = alternatives.findIndex((all) => all.length === 0);
  if (empty >= 0 && alternatives.length > 1) throw new FilterError(text, Math.max(text.length - 1, 0), "| belongs between two terms");
  return { text, matches: (row) => alternatives.some((all) => all.every((test) => test(row))) };
}

/**
 * A filter that matches what each of these matches. `|` in one of them reaches no further than its
 * own end.
 * @throws FilterError
 */
export function allOf(texts: readonly (string | undefined)[]): string {
  return texts.filter((text) => text !== undefined)
    .map((text) => alternativesOf(text).map((terms) => terms.map((token) => token.text).join(" ")))
    .reduce((all, next) => all.flatMap((left) => next.map((right) => [left, right].filter(Boolean).join(" "))), [""])
    .join(" | ");
}

/** A value that no object has as its name. */
const NO_NAME = "\ufffd";

/** The term that a field is exactly this text, whatever characters the text has. */
export function isExactly(field: string, text: string): string {
  // A text with another meaning in a filter is not the name of anything.
  if (text === "" || text === "-" || /"|\.\./.test(text)) return `${field}=${NO_NAME}`;
  return /[\s|]/.test(text) ? `${field}="${text}"` : `${field}=${text}`;
}

/** The term that any field contains this text, whatever characters the text has. */
export function mentions(text: string): string {
  // No term can have a quote in it, and no name or id has one.
  return `"${text.includes('"') ? NO_NAME : text}"`;
}

/**
 * The terms between the `|` of a filter.
 * @throws FilterError
 */
function alternativesOf(text: string): Token[][] {
  const found: Token[][] = [[]];
  for (const token of tokensOf(text)) {
    if (token.text === "|") found.push([]);
    else found.at(-1)!.push(token);
  }
  return found;
}

/**
 * The words of a filter; `|` is one.
 * @throws FilterError
 */
export function tokensOf(text: string): Token[] {
  const found: Token[] = [];
  for (let at = 0; at < text.length;) {
    if (text[at] === " ") at++;
    else if (text[at] === "|") found.push({ text: "|", at: at++ });
    else {
      const start = at;
      let quote = -1;
      while (at < text.length && (quote >= 0 || text[at] !== " " && text[at] !== "|")) {
        if (text[at] === '"') quote = quote < 0 ? at : -1;
        at++;
      }
      if (quote >= 0) throw new FilterError(text, quote, 'this " is not closed');
      found.push({ text: text.slice(start, at), at: start });
    }
  }
  return found;
}

function term(text: string, token: Token, table: Table): Test {
  if (token.text.startsWith("!") && token.text !== "!") {
    const inner = term(text, { text: token.text.slice(1), at: token.at + 1 }, table);
    return (row) => !inner(row);
  }
  const match = /^([A-Za-z_][A-Za-z0-9_]*)(!=|=|<=|>=|<|>|~)(.*)$/.exec(token.text);
  if (!match) return word(unquoted(token.text), table);
  const [, field, operator, raw] = match;
  const column = columnOf(table, field);
  if (!column) {
    const names = Object.keys(table.columns);
    throw new FilterError(text, token.at, `no field ${JSON.stringify(field)}`, didYouMeanOneOf(field, names));
  }
  const value = unquoted(raw), at = token.at + field.length + operator.length;
  if (value === "") throw new FilterError(text, at - 1, "a value is missing");
  return comparison(text, at, column, operator, value);
}

const unquoted = (text: string) => text.replaceAll('"', "");

function columnOf(table: Table, field: string): { name: string; column: Column } | undefined {
  for (const [name, column] of Object.entries(table.columns)) {
    if (name === field || column.alias?.includes(field)) return { name, column };
  }
  return undefined;
}

function word(value: string, table: Table): Test {
  const wanted = value.toLowerCase();
  const columns = Object.entries(table.columns);
  return (row) => columns.some(([name, column]) => textsOf(column, row[name]).some((text) => text.toLowerCase().includes(wanted)));
}

function comparison(
  text: string,
  at: number,
  { name, column }: { name: string; column: Column },
  operator: string,
  value: string,
): Test {
  if (operator === "~") {
    const pattern = regex(text, at, value);
    return (row) => each(row[name]).some((one) => pattern.test(String(one)));
  }
  if (operator === "!=") {
    const equal = equality(text, at, column, value), isPresent = value === "-" ? () => true : hasValue;
    return (row) => each(row[name]).some(isPresent) && !each(row[name]).some(equal);
  }
  if (operator === "=") {
    const equal = equality(text, at, column, value);
    return (row) => each(row[name]).some(equal);
  }
  const limit = parseValue(column.kind, value);
  if (limit === undefined) throw new FilterError(text, at, `${name} has no order for ${JSON.stringify(value)}`);
  const holds = ORDERS[operator];
  return (row) => each(row[name]).some((one) => one !== null && holds(numberOf(one), limit));
}

/** The operators of values that have an order. */
const ORDERS: Readonly<Record<string, (one: number, limit: number) => boolean>> = {
  "<": (one, limit) => one < limit,
  "<=": (one, limit) => one <= limit,
  ">": (one, limit) => one > limit,
  ">=": (one, limit) => one >= limit,
};

/** A value as lists show it, and the value itself if lists have another word for it. */
function textsOf(column: Column, value: Json | undefined): readonly string[] {
  const text = cellText(column, value);
  return column.shown && typeof value === "string" ? [text, value] : [text];
}

/** The values that a comparison uses: those of a list, or the one. */
function each(value: Json | undefined): readonly Json[] {
  return Array.isArray(value) ? value.length ? value : [null] : [value ?? null];
}

/** Whether there is a value that another one can differ from. */
const hasValue = (value: Json) => value !== null && value !== "";

function regex(text: string, at: number, pattern: string): LinearRegex {
  try {
    return new LinearRegex(pattern, "i");
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new FilterError(text, at, error.message);
  }
}

function equality(text: string, at: number, column: Column, value: string): (one: Json) => boolean {
  if (value === "-") return (one) => one === null || one === "" || one === false;
  const range = /^(.+)\.\.(.+)$/.exec(value);
  // Words may differ in their letters' case alone: of Linux, T is stopped and t is traced.
  if (column.words?.includes(value)) return (one) => one === value;
  if (column.words && !range && !column.words.includes(value.toLowerCase())) {
    throw new FilterError(
      text,
      at,
      `no ${JSON.stringify(value)}`,
      didYouMeanOneOf(value, column.words),
    );
  }
  if (range) {
    const low = parseValue(column.kind, range[1]), high = parseValue(column.kind, range[2]);
    if (low === undefined || high === undefined) throw new FilterError(text, at, "a range has numbers at both ends");
    return (one) => one !== null && numberOf(one) >= low && numberOf(one) <= high;
  }
  if (column.kind === "flag") {
    if (!/^(yes|no|true|false)$/.test(value)) throw new FilterError(text, at, "yes or no");
    const wanted = value === "yes" || value === "true";
    return (one) => one === wanted;
  }
  const wanted = parseValue(column.kind, value);
  const exact = value.toLowerCase();
  const numeric = NUMERIC.has(column.kind);
  if (numeric && wanted === undefined) throw new FilterError(text, at, `${JSON.stringify(value)} is not a number`);
  return (one) => {
    if (one === null) return false;
    if (numeric) return numberOf(one) === wanted;
    const shown = String(one).toLowerCase();
    // An id is named whole, without its kind, or by what it belongs to: vm:rt and rt, vcpu:rt/0 and
    // rt/0.
    return shown === exact || column.shown?.[shown] === exact || NAMING.has(column.kind) && nameOf(shown) === exact;
  };
}

/** Kinds whose values may be ids. */
const NAMING: ReadonlySet<ColumnKind> = new Set(["id", "list", "text"]);
const NUMERIC: ReadonlySet<ColumnKind> = new Set(["number", "rate", "size", "share", "count", "time", "duration", "address"]);

function numberOf(value: Json): number {
  return Number(value);
}

const SIZES: Readonly<Record<string, number>> = { K: KiB, M: MiB, G: GiB };
const TIMES: Readonly<Record<string, number>> = { ns: 1, us: 1e3, ms: 1e6, s: 1e9 };

/** A time with its unit (`5ms`) in ns; undefined for anything else. */
export function parseSpan(text: string): number | undefined {
  return /^\d.*s$/.test(text) ? parseValue("duration", text) : undefined;
}

/** A number as typed for a column, in the column's unit; undefined for anything else. */
function parseValue(kind: ColumnKind, text: string): number | undefined {
  const match = /^(-?(?:0x[0-9a-f]+|\d+(?:\.\d+)?))([A-Za-z%]*)$/i.exec(text);
  if (!match) return undefined;
  const number = Number(match[1]), unit = match[2];
  if (unit === "") return kind === "time" && !text.startsWith("0x") ? Math.round(number * 1e9) : number;
  if (unit === "%") return number / 100;
  const size = SIZES[unit.replace(/iB$/, "")];
  const scale = kind === "time" || kind === "duration" ? TIMES[unit] : size;
  return scale === undefined ? undefined : number * scale;
}
