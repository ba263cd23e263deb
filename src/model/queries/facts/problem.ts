// Problems as they travel between a session and its clients: why a query has no answer, why an
// action was not done.

import * as v from "valibot";
import { type Problem, within } from "../../../kit/support/problem.ts";
import type { Hint } from "../../../kit/support/text/hint.ts";
import type { WayOut } from "../../../kit/support/text/way-out.ts";

/** A command as it travels. */
export const hintForm: v.GenericSchema<Hint> = v.object({
  command: v.string(),
  words: v.array(v.string()),
  options: v.record(v.string(), v.optional(v.union([v.string(), v.number(), v.literal(true), v.array(v.string())]))),
});

/** Words, a command, or several of them. */
export const wayOutForm: v.GenericSchema<WayOut> = v.union([v.string(), hintForm, v.array(v.union([v.string(), hintForm]))]);

/** `what`: a sentence without its end, in several lines where it marks a place. */
const entries = { what: v.string(), wayOut: v.optional(wayOutForm) };

/** The form of a `Problem`. */
export const problem = v.object(entries);

/**
 * `filter`: the text of the filter is wrong; `query`: it names a missing object, or lacks an
 * argument; `session`: the machine is not there to answer.
 */
export const queryProblem = v.object({ code: v.picklist(["filter", "query", "session"]), ...entries });
export type QueryProblem = Readonly<v.InferOutput<typeof queryProblem>>;

/** The problem with the part of the query that it is in. */
export function inQuery({ code, ...problem }: QueryProblem): Problem {
  return within(code === "filter" ? "--filter" : undefined, problem);
}

/** The end of a machine as a problem of those who still want something of it. */
export function endProblem({ message, problem }: { readonly message: string; readonly problem?: Problem }): Problem {
  return problem ?? { what: message };
}

/** That a machine is over, by how it ended. */
export function hasEnded(end: Problem): Problem {
  return within("the machine has ended", end);
}
