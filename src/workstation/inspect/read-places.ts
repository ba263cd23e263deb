// Rows of the places of a session's run that it knows by name.

import type { View } from "./inspected.ts";
import type { RowOf } from "./table.ts";
import type { PLACES } from "./tables.ts";

/** A place of the run. */
export interface RunPlace {
  readonly kind: "start" | "snapshot" | "shown" | "now";
  /** Instructions that had been retired. */
  readonly instructions: number;
  /** Virtual time, ns. */
  readonly time: number;
  /** The snapshot's. */
  readonly file?: string;
}

/** The places, in the order of the run. */
export function readPlaces({ system }: View): RowOf<typeof PLACES>[] {
  const places = system.places().toSorted((a, b) => a.instructions - b.instructions || a.time - b.time);
  return places.map(({ kind, instructions, time, file }, index) => ({
    id: `place:${index + 1}`,
    kind,
    t: String(Math.round(time)),
    insn: String(instructions),
    file: file ?? null,
  }));
}
