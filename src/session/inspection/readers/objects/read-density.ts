// How many events there were when: counted where the events are, as a screen that draws them would
// otherwise have each of them made into a row and sent.

import { eventName, type TraceEvent, type TraceKind } from "../../../../machine/abi/trace.ts";
import type { EventLog } from "../../trace/event-log.ts";
import { isRefused } from "./read-trace.ts";
import { evId } from "../../../../model/queries/ids.ts";
import type { RowOf } from "../../../../model/queries/table.ts";
import type { DENSITY } from "../../../../model/queries/tables.ts";

/** Virtual time (ns) of a row. */
const STEP = 1e6;

/** Events of a kind in a millisecond. */
interface Millisecond {
  first: TraceEvent;
  events: number;
  refused: number;
}

/** Events of these kinds after a cursor, and since a time (ns), by millisecond and kind. */
export function readDensity(
  log: EventLog,
  kinds: ReadonlySet<TraceKind>,
  { after, since }: { readonly after?: string; readonly since?: number },
): RowOf<typeof DENSITY>[] {
  const counts = new Map<number, Map<TraceKind, Millisecond>>();
  for (const event of log.newest(kinds, after)) {
    if (since !== undefined && event.end < since) break;
    const at = Math.floor(event.time / STEP);
    let then = counts.get(at);
    if (!then) counts.set(at, then = new Map());
    let counted = then.get(event.kind);
    if (!counted) then.set(event.kind, counted = { first: event, events: 0, refused: 0 });
    counted.first = event;
    counted.events++;
    if (isRefused(event)) counted.refused++;
  }
  return [...counts].sort(([one], [other]) => one - other).flatMap(([at, then]) =>
    [...then].map(([kind, { first, events, refused }]) => ({
      id: evId(eventName(first)),
      t: String(at * STEP),
      kind,
      events,
      refused,
    }))
  );
}
