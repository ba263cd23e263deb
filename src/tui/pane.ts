// What a screen is made of: panes that say what they want to know, take answers, draw themselves and move their selection.

import type { Rectangle, Screen } from "./cells.ts";
import type { Look, Role } from "./theme.ts";
import type { Answer, Query } from "../workstation/inspect/query.ts";
import type { Row, Table } from "../workstation/inspect/table.ts";

/** A pane of a screen. */
export interface Pane {
  /** Unique in its screen. */
  readonly name: string;
  /** What its title says behind `==` or `--`. */
  title(): string;
  /** What it wants to know now. */
  wants(): Query | undefined;
  take(answer: Answer): void;
  /** Draws below the title. */
  draw(screen: Screen, area: Rectangle, look: Look): void;
  /** Moves the selection, or scrolls; Infinity is the end. */
  move(by: number): void;
  /** Shows its next view, where it has several of its own; false where that is the first again, and another pane's turn comes. */
  nextView?(): boolean;
  /** A click on a row of the area it was drawn in. */
  click(row: number): void;
  /** The selected row and its table, where it is a list of rows. */
  readonly selection: { readonly table: Table; readonly row: Row } | undefined;
  /** Rows of a page. */
  readonly page: number;
}

/** A line of text and what it means. */
export interface Line {
  readonly text: string;
  readonly role?: Role;
}
