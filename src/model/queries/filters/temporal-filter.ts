// Filters of events over time (docs/filters-and-verdicts.md): `A before B`, `A after B`, `first A
// after B`, `last A before B`, `A without B`, `A again`, each within a time or at any distance. A
// and B are filters. A row is both A and B if both match; it does not come before or after itself.

import { allOf, type Filter, FilterError, parseFilter, parseSpan, type Token, tokensOf } from "./filter.ts";
import { isStream, type Row, type RowOf, type Table } from "../table.ts";
import { KERNEL_KINDS, MACHINE_KINDS, TRACE_KINDS, type TraceKind } from "../../../machine/abi/trace.ts";

/** A filter of events: of each alone, or over time. */
export interface EventFilter<R extends Row> {
  readonly text: string;
  /** Whether it is over time: one row does not decide it. */
  readonly isTemporal: boolean;
  /** A matcher that has not seen any row. */
  start(): EventMatcher<R>;
}

/** The state of a filter after the rows that it has seen, in the order of their ends. */
export interface EventMatcher<R extends Row> {
  /** The rows whose match this row decides. */
  see(row: R): readonly R[];
  /** The rows that match because nothing else has come up to a virtual time (ns). */
  reached(time: number): readonly R[];
}

/** Rows that wait for a later one. Beyond this number the oldest are forgotten. */
const PENDING = 65_536;

type Operator = "before" | "after" | "without" | "again";
const OPERATORS: readonly string[] = ["before", "after", "without", "again"] satisfies Operator[];

const isOperator = (text: string): text is Operator => OPERATORS.includes(text);

/** A filter over time, in parts. */
interface Sequence {
  readonly operator: Operator;
  /** Which of the As between two Bs. */
  readonly which: "first" | "last" | "all";
  readonly a: Filter;
  readonly b: Filter | undefined;
  /** ns. */
  readonly within: number;
}

/**
 * Parses a filter of events. `before`, `after` and `without` are operators between two filters;
 * `again` is an operator after one filter. In quotes they are ordinary words.
 * @throws FilterError
 */
export function parseEventFilter<T extends Table>(text: string, table: T): EventFilter<RowOf<T>> {
  const sequence = parseSequence(text, table);
  if (sequence) return { text, isTemporal: true, start: () => matcherOf(sequence) };
  const filter = parseFilter(text, table);
  const matcher: EventMatcher<RowOf<T>> = { see: (row) => filter.matches(row) ? [row] : [], reached: () => [] };
  return { text, isTemporal: false, start: () => matcher };
}

/**
 * Checks a filter of a table's rows; those of a stream may be filtered over time.
 * @throws FilterError
 */
export function checkFilter(text: string, table: Table): void {
  if (isStream(table)) parseEventFilter(text, table);
  else parseFilter(text, table);
}

/** The error of a filter that `checkFilter` refuses. */
export function filterError(text: string, table: Table): FilterError | undefined {
  try {
    checkFilter(text, table);
    return undefined;
  } catch (error) {
    if (error instanceof FilterError) return error;
    throw error;
  }
}

/** Whether a text is a filter over time. */
export function isTemporal(text: string): boolean {
  return operatorIn(tokensOf(text)) !== undefined;
}

/** The operator's place: not the first word, and only `again` is without a filter after it. */
function operatorIn(tokens: readonly Token[]): number | undefined {
  const index = tokens.findIndex(({ text }, at) => at > 0 && isOperator(text));
  if (index < 0) return undefined;
  const next = tokens[index + 1];
  return tokens[index].text === "again" ? (next === undefined || next.text === "within" ? index : undefined) : next && index;
}

/** A filter over time as texts. */
interface Parts {
  readonly operator: Operator;
  readonly which: Sequence["which"];
  /** The range of the text that is A, and that is B. */
  readonly a: readonly [from: number, end: number];
  readonly b: readonly [from: number, end: number] | undefined;
  readonly within: number;
}

function partsOf(text: string): Parts | undefined {
  const tokens = tokensOf(text), index = operatorIn(tokens);
  if (index === undefined) return undefined;
  const { text: operator, at } = tokens[index];
  if (!isOperator(operator)) return undefined;
  const other = tokens.findIndex((token, place) => place > index && isOperator(token.text));
  if (other >= 0) throw new FilterError(text, tokens[other].at, `a filter has one of ${OPERATORS.join(", ")}`);
  const limit = tokens.findIndex((token, place) => place > index && token.text === "within");
  const within = limit < 0 ? Infinity : spanAt(text, tokens, limit);
  if (operator === "without" && limit < 0) throw new FilterError(text, text.length, "without needs a time: within 5ms");
  const [head] = tokens, which = operator !== "again" && index > 1 && (head.text === "first" || head.text === "last") ? head.text : "all";
  if (which !== "all" && (operator === "without" || which === "last" && operator === "after")) {
    throw new FilterError(text, head.at, `${which} belongs to ${which === "last" ? "before" : "before and after"}`);
  }
  const end = limit < 0 ? text.length : tokens[limit].at;
  const a = [which === "all" ? 0 : head.at + head.text.length, at] as const;
  return { operator, which, a, b: operator === "again" ? undefined : [at + operator.length, end], within };
}

function parseSequence(text: string, table: Table): Sequence | undefined {
  const parts = partsOf(text);
  return parts && { ...parts, a: part(text, ...parts.a, table), b: parts.b && part(text, ...parts.b, table) };
}

/**
 * A filter for the rows that all of these match. If one is over time, its A and its B match the
 * others as well.
 * @throws FilterError
 */
export function allOfEvents(texts: readonly (string | undefined)[]): string {
  const given = texts.filter((text) => text !== undefined), index = given.findIndex(isTemporal), text = given[index];
  const parts = text === undefined ? undefined : partsOf(text);
  if (text === undefined || !parts) return allOf(given);
  const others = given.filter((_, at) => at !== index);
  const narrowed = ([from, end]: readonly [number, number]) => allOf([...others, text.slice(from, end)]);
  const { operator, which, a, b, within } = parts;
  const words = [
    which === "all" ? "" : which,
    narrowed(a),
    operator,
    b ? narrowed(b) : "",
    within === Infinity ? "" : `within ${within}ns`,
  ];
  return words.filter(Boolean).join(" ");
}

function spanAt(text: string, tokens: readonly Token[], limit: number): number {
  const span = tokens[limit + 1], value = span && parseSpan(span.text);
  if (value === undefined) throw new FilterError(text, span?.at ?? text.length, "within needs a time, such as 5ms or 2s");
  const rest = tokens[limit + 2];
  if (rest) throw new FilterError(text, rest.at, "the time of within is the end of the filter");
  return value;
}

/** The filter in a part of a text. Its errors are at their places in the whole. */
function part(text: string, from: number, end: number, table: Table): Filter {
  if (text.slice(from, end).trim() === "") throw new FilterError(text, Math.min(end, text.length - 1), "a filter is missing");
  try {
    return parseFilter(" ".repeat(from) + text.slice(from, end), table);
  } catch (error) {
    if (!(error instanceof FilterError)) throw error;
    const { what, wayOut } = error.problem;
    throw new FilterError(text, error.at, what, wayOut);
  }
}

/** Virtual time (ns) of a row: its end, in whose order rows come. */
export const timeOf = (row: Row): number => Number(row.end ?? row.t);

const NONE: readonly never[] = [];

function matcherOf<R extends Row>(sequence: Sequence): EventMatcher<R> {
  switch (sequence.operator) {
    case "again":
      return again(sequence);
    case "after":
      return after(sequence);
    case "before":
      return before(sequence);
    case "without":
      return without(sequence);
  }
}

function again<R extends Row>({ a, within }: Sequence): EventMatcher<R> {
  let last = -Infinity, seen = false;
  return {
    see(row) {
      if (!a.matches(row)) return NONE;
      const time = timeOf(row), isAgain = seen && time - last <= within;
      seen = true;
      last = time;
      return isAgain ? [row] : NONE;
    },
    reached: () => NONE,
  };
}

function after<R extends Row>({ which, a, b, within }: Sequence): EventMatcher<R> {
  let armed: number | undefined;
  return {
    see(row) {
      const time = timeOf(row), isA = a.matches(row), isMatch = isA && armed !== undefined && time - armed <= within;
      if (isA && which === "first") armed = undefined;
      if (b?.matches(row)) armed = time;
      return isMatch ? [row] : NONE;
    },
    reached: () => NONE,
  };
}

function before<R extends Row>({ which, a, b, within }: Sequence): EventMatcher<R> {
  let pending: R[] = [];
  return {
    see(row) {
      let found: readonly R[] = NONE;
      if (b?.matches(row)) {
        const time = timeOf(row);
        if (pending.length > 0) found = pending.filter((one) => time - timeOf(one) <= within);
        pending = [];
      }
      if (a.matches(row) && !(which === "first" && pending.length > 0)) {
        if (which === "last" || pending.length >= PENDING) pending.shift();
        pending.push(row);
      }
      return found;
    },
    reached: () => NONE,
  };
}

function without<R extends Row>({ a, b, within }: Sequence): EventMatcher<R> {
  let pending: R[] = [];
  const expire = (time: number) => {
    let count = 0;
    while (count < pending.length && timeOf(pending[count]) + within < time) count++;
    return count === 0 ? NONE : pending.splice(0, count);
  };
  return {
    see(row) {
      const found = pending.length > 0 ? expire(timeOf(row)) : NONE;
      if (b?.matches(row)) pending = [];
      if (a.matches(row)) {
        if (pending.length >= PENDING) pending.shift();
        pending.push(row);
      }
      return found;
    },
    reached: expire,
  };
}

/**
 * Kinds whose events a filter has to see: the one that it names, or else all kinds of the machine,
 * and those kinds of kernels in VMs that it mentions.
 */
export function kindsForFilter(filter: string): readonly TraceKind[] {
  const terms = tokensOf(filter).map(({ text }) => text), allHold = !terms.includes("|") && !isTemporal(filter);
  const one = TRACE_KINDS.find((kind) => allHold && terms.includes(`kind=${kind}`));
  return one ? [one] : [...MACHINE_KINDS, ...KERNEL_KINDS.filter((kind) => filter.includes(kind))];
}
