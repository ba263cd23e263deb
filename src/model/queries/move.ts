// Where in its run a session moves, and names of places there: plain data, the same in process and
// over a socket.

import * as v from "valibot";
import { amount, count, text, whole } from "./fields.ts";
import type { Problem } from "../../kit/support/problem.ts";
import { didYouMeanOneOf } from "../../kit/support/text/did-you-mean.ts";
import { hint } from "../../kit/support/text/hint.ts";
import { way } from "../../kit/support/text/way-out.ts";

/** Names of marks: one word on a command line. */
export const MARK_NAME = /^[A-Za-z0-9][\w.-]{0,63}$/;
export const markName = v.pipe(v.string(), v.regex(MARK_NAME));

/** Characters of a mark's text and of its author's name. */
export const MARK_TEXT_MAX = 200, AUTHOR_MAX = 64;
/** A text in one line: files of strangers have it, too. */
// deno-lint-ignore no-control-regex
export const ONE_LINE = /^[^\x00-\x1f\x7f-\x9f]+$/;
const line = (most: number) => v.pipe(v.string(), v.maxLength(most), v.regex(ONE_LINE));

/** A name for a place of a run, with the words of a user about it. */
export const markNote = v.strictObject({ name: markName, text: v.optional(line(MARK_TEXT_MAX)), by: v.optional(line(AUTHOR_MAX)) });
export type MarkNote = Readonly<v.InferOutput<typeof markNote>>;

/** A place of the run that a user has named. */
export const mark = v.strictObject({
  ...markNote.entries,
  /** Instructions that had been retired. */
  instructions: count(),
  /** Virtual time, ns. */
  time: v.pipe(v.number(), v.finite(), v.minValue(0)),
});
export type Mark = Readonly<v.InferOutput<typeof mark>>;

const RUN_PLACES = [
  /** The place after so many retired instructions; `order`: of several there, the one before it. */
  v.strictObject({ kind: v.literal("instructions"), count: count(), order: v.optional(count()) }),
  /** The first place at which the machine has come to a virtual time (ns). */
  v.strictObject({ kind: v.literal("time"), at: v.pipe(amount, v.minValue(0)) }),
  /** A place that a user has named. */
  v.strictObject({ kind: v.literal("mark"), name: markName }),
] as const;

export const runPlace = v.variant("kind", RUN_PLACES);
export type PlaceOfRun = Readonly<v.InferOutput<typeof runPlace>>;

/** A place that every machine of the run can find, as it needs no name. */
export type PlainPlace = Exclude<PlaceOfRun, { readonly kind: "mark" }>;

/** That there is no mark of this name. */
export function noMark(name: string, names: readonly string[]): Problem {
  const wayOut = names.length ? didYouMeanOneOf(name, names) : way`${hint("mark", name)} makes one`;
  return { what: `there is no mark "${name}"`, wayOut };
}

export const move = v.variant("kind", [
  /** So many instructions forward, or back. */
  v.strictObject({ kind: v.literal("step"), by: whole }),
  ...RUN_PLACES,
  /** Back to the last event that a filter lets through. */
  v.strictObject({ kind: v.literal("event"), filter: text() }),
  /**
   * Forward to the next event that a filter lets through: in the past at most to now; from there
   * the machine runs until it happens.
   */
  v.strictObject({ kind: v.literal("next-event"), filter: text() }),
  /** Back to where an instruction was about to be executed: `VM:SYMBOL` or `VM:ADDRESS`. */
  v.strictObject({ kind: v.literal("place"), at: text() }),
  /** Nowhere else: the move in progress ends. */
  v.strictObject({ kind: v.literal("here") }),
  /** To where the machine really is. */
  v.strictObject({ kind: v.literal("now") }),
]);
export type Move = Readonly<v.InferOutput<typeof move>>;
