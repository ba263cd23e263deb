// The reason why a query has no answer.

import * as v from "valibot";

/**
 * `filter`: the text of the filter is wrong; `query`: it names a missing object, or lacks an
 * argument.
 */
export const problem = v.object({
  code: v.picklist(["filter", "query"]),
  /** A sentence without its end, in several lines where it marks a place. */
  what: v.string(),
  way_out: v.optional(v.string()),
});
export type Problem = Readonly<v.InferOutput<typeof problem>>;

/** The error, and the way out. */
export function problemText({ code, what, way_out }: Problem): string {
  return `${code === "filter" ? "--filter: " : ""}${what}${way_out === undefined ? "" : `; ${way_out}`}`;
}
