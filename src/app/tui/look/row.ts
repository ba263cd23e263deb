// Rows of lists: the background first, from border to border; text keeps it.

import type { Rectangle, Screen } from "../terminal/cells.ts";
import type { Look, Role } from "./theme.ts";

export interface RowState {
  /** Selected in the pane with the keys, or in another one. */
  readonly selected?: "here" | "elsewhere";
  /** It was refused, or is broken. */
  readonly bad?: boolean;
  readonly marked?: boolean;
  /** Another background than the page's. */
  readonly tint?: Role;
}

/** Columns before a row's text: the selection's mark, then `!` or `+`. */
export const ROW_MARGIN = 2;

/**
 * Lays the background of a row and draws its marks. The text follows from `ROW_MARGIN` on, or from
 * column 1 on where rows of a list are never refused (`marks` false).
 */
export function beginRow(screen: Screen, look: Look, area: Rectangle, row: RowState, marks = true): void {
  const ground = row.selected === "here" ? "sel" : row.selected ? "selq" : undefined;
  const tint = ground ?? (row.bad ? "badbg" : row.tint);
  if (tint) screen.tint(area, tint);
  if (row.selected) screen.text(area.x, area.y, look.glyphs.selected, look.style(row.selected === "here" ? "accent" : "faint"));
  if (!marks) return;
  if (row.bad) screen.text(area.x + 1, area.y, "!", look.bold("bad"));
  else if (row.marked) screen.text(area.x + 1, area.y, "+", look.style("accent"));
}
