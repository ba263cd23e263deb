// Rows of the rules by which a machine stops, and of those that inject faults.

import type { View } from "./inspected.ts";
import type { RowOf } from "../../../model/queries/table.ts";
import type { INJECTIONS, STOPS } from "../../../model/queries/tables.ts";

/** The rules, in the order in which they were added. */
export function readStops({ system }: View): RowOf<typeof STOPS>[] {
  return system.stops.now().map(({ id, kind, text, hits, last, where }) => ({
    id,
    kind,
    rule: text,
    place: where ?? null,
    hits: String(hits),
    t: last ? String(Math.round(last.time)) : null,
    last: last?.text ?? null,
  }));
}

/** The rules, in the order in which they were added. */
export function readInjections({ hypervisor }: View): RowOf<typeof INJECTIONS>[] {
  return hypervisor.faults.entries.map(({ id, rule, seen, hits }) => ({
    id,
    kind: rule.kind,
    seen: String(seen),
    hits: String(hits),
    rule: rule.text,
  }));
}
