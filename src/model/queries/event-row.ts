// A recorded event for exports: the row of the displayed table.

import { type Answer, rowsOf } from "./query.ts";
import type { Json, RowOf } from "./table.ts";
import { EVENTS, TABLES } from "./tables.ts";

/** A row of `events`, with the fields as an object. */
export type EventRow = Omit<RowOf<typeof EVENTS>, "fields"> & { readonly fields: Readonly<Record<string, unknown>> };

/** The rows of an answer from the recorded trace, or from the log. */
export function eventRowsOf(answer: Answer): EventRow[] {
  const table = answer.table === EVENTS.name ? EVENTS : TABLES["trace.events"];
  return rowsOf(table, answer).map((row) => ({ ...row, fields: fieldsOf(row.fields) }));
}

function fieldsOf(fields: Json): EventRow["fields"] {
  if (typeof fields !== "object" || fields === null) throw new Error("the fields of an event are an object");
  return { ...fields };
}
