// Fields of messages that come from outside: text, counts and bytes, each with a bound.

import * as v from "valibot";

/** Characters of a name: of a VM, a console, an object id. */
export const NAME_MAX = 256;
/** Maximum length of text in one line: filters, places, rules, titles. */
const LINE_MAX = 4096;

/** Characters of what is wrong with a value. */
const ISSUE_MAX = 200;

/** Text of at most `max` characters. */
export function text(max = LINE_MAX) {
  return v.pipe(v.string(), v.maxLength(max, `is longer than ${max} characters`));
}

/** The name or id of something. */
export const name = text(NAME_MAX);

/** A whole number, 0 or more. */
export function count(max = Number.MAX_SAFE_INTEGER) {
  return v.pipe(v.number(), v.safeInteger(), v.minValue(0), v.maxValue(max));
}

/** A whole number that may be negative. */
export const whole = v.pipe(v.number(), v.safeInteger());

export const amount = v.pipe(v.number(), v.finite());

/** An unsigned number of `bits` bits. */
export function unsigned(bits: number) {
  return v.pipe(v.bigint(), v.minValue(0n), v.maxValue((1n << BigInt(bits)) - 1n));
}

/** Bytes, at most `max`. */
export function bytes(max = Infinity) {
  return v.custom<Uint8Array>((given) => given instanceof Uint8Array && given.length <= max, `is not bytes, at most ${max}`);
}

/** A list of at most `max`. */
export function listOf<const S extends v.GenericSchema>(item: S, max = Infinity) {
  return v.pipe(v.array(item), v.maxLength(max, `has more than ${max} elements`), v.readonly());
}

/** The first thing that is wrong with a value, and where: `query.args.limit: ..`. */
export function firstIssue([issue]: readonly v.BaseIssue<unknown>[]): string {
  const path = v.getDotPath(issue);
  // It may quote what was sent.
  return (path === null ? issue.message : `${path}: ${issue.message}`).slice(0, ISSUE_MAX);
}
