// The model of a screen: panes, their places, and the dividers between them.

import type { ScreenEntry } from "../actions/screen-table.ts";
import type { Rectangle } from "../terminal/cells.ts";
import { Divider } from "./divider.ts";
import type { Pane } from "../panes/pane.ts";

/**
 * The places of panes: with boxes, which abut, or with rules, and a line between those side by
 * side.
 */
export interface Body extends Rectangle {
  readonly boxed?: boolean;
}

/** A pane and its place. */
export interface Placed {
  readonly pane: Pane;
  readonly area: Rectangle;
}

/** Panes and layout of a screen. */
export interface ScreenPanes {
  readonly panes: readonly Pane[];
  /** Panes that replace each other, by `v`. */
  readonly views: readonly (readonly Pane[])[];
  /** The dividers between its panes, in this layout or another. */
  readonly dividers: readonly Divider[];
  /** The pane about the selected row of another one, which Enter shows. */
  opens?(focused: Pane): Pane | undefined;
  /** Places of panes; `focused` decides where not all fit. */
  layout(body: Body, focused: Pane): Placed[];
}

/** A screen of a session. */
export interface ScreenModel extends ScreenPanes {
  readonly key: string;
  readonly entry: ScreenEntry;
}

/** Rows that a pane keeps whatever its neighbor needs, with its frame. */
const KEPT_ROWS = 5;

/** Rows of the upper of two panes: its share, but without rows that only the other can use. */
export function sharedRows(body: Body, share: number, upper: Pane, lower: readonly Pane[]): number {
  const wish = Math.round(body.height * share), frame = body.boxed ? 2 : 1;
  const below = Math.max(...lower.map(({ needs }) => needs ?? Infinity));
  const wanted = Math.max((upper.needs ?? Infinity) + frame, KEPT_ROWS), under = Math.max(below + frame, KEPT_ROWS);
  const rest = body.height - wish;
  if (wanted > wish) return Math.min(wanted, wish + Math.max(rest - under, 0));
  return Math.max(wanted, wish - Math.max(under - rest, 0));
}

/** A title and two rows. */
const LEAST_ROWS = 3;
/** Columns in which a list can be read. */
const LEAST_COLUMNS = 24;

/** Between one pane and the `panes` below it. */
export function below(name: string, panes = 1): Divider {
  return new Divider(name, false, [LEAST_ROWS, LEAST_ROWS * panes]);
}

/** Between one pane and another at its right. */
export function beside(name: string): Divider {
  return new Divider(name, true, [LEAST_COLUMNS, LEAST_COLUMNS]);
}
