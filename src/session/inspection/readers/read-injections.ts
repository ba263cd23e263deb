// Rows of the rules of injected faults.

import type { View } from "./inspected.ts";
import type { RowOf } from "../../../model/queries/table.ts";
import type { INJECTIONS } from "../../../model/queries/tables.ts";

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
