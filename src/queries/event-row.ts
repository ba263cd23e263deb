// What is recorded of an event, as exports take it: the row of the table that people see.

import type { RowOf } from "./table.ts";
import type { EVENTS } from "./tables.ts";

/** A row of `events`, with the fields as an object. */
export type EventRow = Omit<RowOf<typeof EVENTS>, "fields"> & { readonly fields: Readonly<Record<string, unknown>> };
