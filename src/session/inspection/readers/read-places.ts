// Rows of the places of a session's run that it knows by name.

import type { View } from "./inspected.ts";
import { formatId } from "../../../model/queries/ids.ts";
import type { RowOf } from "../../../model/queries/table.ts";
import type { PLACES } from "../../../model/queries/tables.ts";

/** The places, in the order of the run. */
export function readPlaces({ system }: View): RowOf<typeof PLACES>[] {
  const places = system.places().toSorted((a, b) => a.instructions - b.instructions || a.time - b.time);
  return places.map(({ kind, instructions, time, file, name, text, by }, index) => ({
    id: formatId({ kind: "place", number: index + 1 }),
    kind,
    t: String(Math.round(time)),
    insn: String(instructions),
    file: file ?? null,
    name: name ?? null,
    text: text ?? null,
    by: by ?? null,
  }));
}
