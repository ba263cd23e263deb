// Events of the past that a filter lets through, as the object of a search.

import type { TraceEvent } from "../../machine/abi/trace.ts";
import { QueryError } from "../inspection/readers/inspected.ts";
import { eventRow } from "../inspection/readers/objects/read-trace.ts";
import { FilterError } from "../../model/queries/filters/filter.ts";
import { type EventMatcher, isTemporal, kindsForFilter, parseEventFilter } from "../../model/queries/filters/temporal-filter.ts";
import type { RowOf } from "../../model/queries/table.ts";
import { EVENTS } from "../../model/queries/tables.ts";
import type { EventMatching, Watched } from "../recordings/looking/looking.ts";

/**
 * The events that a filter lets through.
 * @throws QueryError for a filter that is wrong
 */
export function eventsThat(filter: string): Watched {
  try {
    const parsed = parseEventFilter(filter, EVENTS);
    return { kind: "event", kinds: kindsForFilter(filter), isTemporal: isTemporal(filter), start: () => matchingOf(parsed.start()) };
  } catch (error) {
    if (!(error instanceof FilterError)) throw error;
    throw new QueryError(error.marked);
  }
}

/** Matches events by their rows. */
function matchingOf(matcher: EventMatcher<RowOf<typeof EVENTS>>): EventMatching {
  const events = new WeakMap<RowOf<typeof EVENTS>, TraceEvent>();
  const eventsOf = (rows: readonly RowOf<typeof EVENTS>[]) => rows.flatMap((row) => events.get(row) ?? []);
  return {
    see(event) {
      const row = eventRow(event);
      events.set(row, event);
      return eventsOf(matcher.see(row));
    },
    reached: (time) => eventsOf(matcher.reached(time)),
  };
}
