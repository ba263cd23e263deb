// Gaps between the rows of a list on a screen: each takes a line.

import type { Rectangle, Screen } from "../terminal/cells.ts";
import type { Look } from "../look/theme.ts";
import type { Unrecorded } from "../../../model/queries/facts/gap.ts";
import type { ListRow } from "../../../model/queries/table.ts";
import { gapsOf, type RowGap } from "../../../model/queries/texts/row-gaps.ts";
import { fit, textWidth } from "../../../kit/support/text/text-width.ts";

export class RowGaps {
  constructor(readonly gaps: readonly RowGap[] = []) {}

  /** Of rows in their order; `passes`: whether a row would be among them. */
  static of<R extends ListRow>(unrecorded: readonly Unrecorded[], rows: readonly R[], passes: (row: R) => boolean): RowGaps {
    return new RowGaps(gapsOf(unrecorded, rows, passes));
  }

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

/** Draws a gap as a line with its text in the middle. */
export function drawGap(screen: Screen, look: Look, { x, y, width }: Rectangle, { text }: RowGap): void {
  const shown = ` ${fit(text, Math.max(width - 4, 1))} `, left = Math.max(Math.floor((width - textWidth(shown)) / 2), 0);
  screen.text(x, y, look.glyphs.frame.line.repeat(width), look.style("border"));
  screen.text(x + left, y, shown, look.style("dim"));
}
