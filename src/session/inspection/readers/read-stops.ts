// Rows of the stop rules.

import type { View } from "./inspected.ts";
import type { RowOf } from "../../../model/queries/table.ts";
import type { STOPS } from "../../../model/queries/tables.ts";

/** The rules, in the order in which they were added. */
export function readStops({ system }: View): RowOf<typeof STOPS>[] {
  return system.stops.rules.map(({ id, kind, text, hits, last }) => ({
    id,
    kind,
    rule: text,
    hits: String(hits),
    t: last ? String(Math.round(last.time)) : null,
    last: last?.text ?? null,
  }));
}
