// Gaps between the rows of a list of events, where events were not recorded: each takes a line.

import type { Rectangle, Screen } from "../terminal/cells.ts";
import type { Look } from "../look/theme.ts";
import type { TraceKind } from "../../../machine/abi/trace.ts";
import type { Unrecorded } from "../../../model/queries/facts/gap.ts";
import { firstIndex } from "../../../kit/support/values/in-order.ts";
import { fit, textWidth } from "../../../kit/support/text/text-width.ts";

/** A gap, and the index of the row below it. */
export interface RowGap {
  readonly before: number;
  readonly text: string;
}

export class RowGaps {
  constructor(readonly gaps: readonly RowGap[] = []) {}

  /** The line of a row. */
  lineOf(index: number): number {
    return index + this.gaps.filter(({ before }) => before <= index).length;
  }

  /** The gap on a line, or the index of the row there. */
  at(line: number): RowGap | number {
    const above = this.gaps.findLastIndex(({ before }, number) => before + number <= line), gap = this.gaps[above];
    return gap && gap.before + above === line ? gap : line - above - 1;
  }
}

/**
 * The gaps of rows that end at these times, in their order. `shows`: whether a kind would be among
 * the rows there.
 */
export function gapsOf(
  spans: readonly Unrecorded[],
  ends: readonly number[],
  shows: (kind: TraceKind, before: number) => boolean,
): RowGaps {
  const found = new Map<number, Map<TraceKind, boolean>>();
  for (const { to, kind, some } of spans) {
    const before = firstIndex(ends.length, (index) => ends[index] >= to);
    if (before === 0 || before === ends.length) continue;
    const known = found.get(before) ?? new Map<TraceKind, boolean>();
    if (shows(kind, before)) found.set(before, known.set(kind, (known.get(kind) ?? true) && some));
  }
  return new RowGaps([...found].map(([before, kinds]) => ({ before, text: gapText(kinds) })));
}

/** `not recorded: sched; only some of: hvc, virq`. */
function gapText(kinds: ReadonlyMap<TraceKind, boolean>): string {
  const of = (wanted: boolean) => [...kinds].filter(([, some]) => some === wanted).map(([kind]) => kind).join(", ");
  const none = of(false), some = of(true);
  return [none && `not recorded: ${none}`, some && `only some of: ${some}`].filter((part) => part !== "").join("; ");
}

/** Draws a gap as a line with its text in the middle. */
export function drawGap(screen: Screen, look: Look, { x, y, width }: Rectangle, { text }: RowGap): void {
  const shown = ` ${fit(text, Math.max(width - 4, 1))} `, left = Math.max(Math.floor((width - textWidth(shown)) / 2), 0);
  screen.text(x, y, look.glyphs.frame.line.repeat(width), look.style("border"));
  screen.text(x + left, y, shown, look.style("dim"));
}
