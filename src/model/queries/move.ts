// Where in its run a session moves, and names of places there: plain data, the same in process and
// over a socket.

import * as v from "valibot";
import { count, text, whole } from "./fields.ts";

/** Names of marks: one word on a command line. */
export const MARK_NAME = /^[A-Za-z0-9][\w.-]{0,63}$/;
export const markName = v.pipe(v.string(), v.regex(MARK_NAME));

export const move = v.variant("kind", [
  /** So many instructions forward, or back. */
  v.strictObject({ kind: v.literal("step"), by: whole }),
  /** The place after this many retired instructions. */
  v.strictObject({ kind: v.literal("instructions"), count: count() }),
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
