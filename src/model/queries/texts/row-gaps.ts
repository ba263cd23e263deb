// Gaps between the rows of a list of events, where events were not recorded, and their text.

import type { TraceKind } from "../../../machine/abi/trace.ts";
import type { Unrecorded } from "../facts/gap.ts";
import type { ListRow } from "../table.ts";
import { firstIndex } from "../../../kit/support/values/in-order.ts";

/** A gap, and the index of the row below it. */
export interface RowGap {
  readonly before: number;
  readonly spans: readonly Unrecorded[];
  readonly text: string;
}

/** The gaps of rows in the order of their ends; `passes`: whether a row would be among them. */
export function gapsOf<R extends ListRow>(
  unrecorded: readonly Unrecorded[],
  rows: readonly R[],
  passes: (row: R) => boolean = () => true,
): RowGap[] {
  const found = new Map<number, Unrecorded[]>();
  for (const span of unrecorded) {
    const before = firstIndex(rows.length, (index) => Number(rows[index].end) >= span.to);
    if (before === 0 || before === rows.length || !passes({ ...rows[before], kind: span.kind })) continue;
    found.set(before, [...found.get(before) ?? [], span]);
  }
  return [...found].map(([before, spans]) => ({ before, spans, text: gapText(spans) }));
}

/** Those gaps for who does not see the rows: `not recorded: hvc, before hvc:37`. */
export const gapSentences = (unrecorded: readonly Unrecorded[], rows: readonly ListRow[]): string[] =>
  gapsOf(unrecorded, rows).map((gap) => gapSentence(gap, rows[gap.before]));

/** @param row the one below the gap */
export const gapSentence = ({ text }: RowGap, { id }: ListRow): string => `${text}, before ${id}`;

/** `not recorded: sched; only some of: hvc, virq`. */
function gapText(spans: readonly Unrecorded[]): string {
  const none = new Set(spans.filter(({ some }) => !some).map(({ kind }) => kind));
  const some = new Set(spans.map(({ kind }) => kind)).difference(none), list = (kinds: Iterable<TraceKind>) => [...kinds].join(", ");
  return [none.size && `not recorded: ${list(none)}`, some.size && `only some of: ${list(some)}`].filter(Boolean).join("; ");
}
