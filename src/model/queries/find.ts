// Questions where in a run something happened, as questions about accesses.

import type { QueryOf } from "./query.ts";

/** Bytes of a value in memory. */
const VALUE_SIZE = 8;

/**
 * The arguments of a query of `who`: events if there is a filter; else accesses that leave a value,
 * or executions if there is none.
 */
export function findArguments(
  { at, filter, value, size = VALUE_SIZE, before, limit }: Omit<QueryOf<"who">["args"], "access" | "back">,
): QueryOf<"who">["args"] {
  if (filter !== undefined) return { access: "event", filter, before, limit };
  return value === undefined ? { at, access: "exec", before, limit } : { at, access: "write", value, size, before, limit };
}
