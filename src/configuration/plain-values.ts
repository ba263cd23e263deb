// Schemas of plain values in a configuration, and their messages: what follows `KEY VALUE` in an
// error.

import * as v from "valibot";

/** The error for a value of another type. */
export function mustBe(what: string): (issue: v.BaseIssue<unknown>) => string {
  return (issue) => issue.received === "undefined" ? "is missing" : `is not ${what}`;
}

export const boolean = v.boolean(mustBe("true or false"));
export const text = v.string(mustBe("a string"));

/** A whole number from `min` to `max`; `outside` is the error for others. */
export function whole(min: number, max: number, outside: string) {
  const number = mustBe("a whole number");
  return v.pipe(v.number(number), v.integer(number), v.minValue(min, outside), v.maxValue(max, outside));
}

/** One of these words. */
export function oneOf<const T extends readonly string[]>(known: T) {
  return v.picklist(known, missingOrNot(known));
}

/** The error for an unknown word. */
export function notKnown(...words: readonly string[]): string {
  return `is not known; use ${words.map((word) => JSON.stringify(word)).join(", ").replace(/, ([^,]*)$/, " or $1")}`;
}

/** The same for a schema, where the word may be missing. */
export function missingOrNot(known: readonly string[]): (issue: v.BaseIssue<unknown>) => string {
  return (issue) => issue.received === "undefined" ? "is missing" : notKnown(...known);
}
