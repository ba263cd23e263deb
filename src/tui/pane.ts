// What a screen is made of: panes that say what they want to know, take answers, draw themselves
// and move their selection.

import type { Rectangle, Screen } from "./cells.ts";
import type { Scroll, Title } from "./box.ts";
import type { Piece } from "./pieces.ts";
import type { Look, Role } from "./theme.ts";
import type { FilterError } from "../queries/filter.ts";
import type { Answer, Query } from "../queries/query.ts";
import type { Row, Table } from "../queries/table.ts";

/** How a pane stands on its screen. */
export interface PaneState {
  /** It has the keys. */
  readonly focused: boolean;
  /** Panes have boxes; else rules. */
  readonly boxed: boolean;
  /** What is shown is an earlier place of the run. */
  readonly past: boolean;
}

/** A pane of a screen. */
export interface Pane {
  /** Unique in its screen. */
  readonly name: string;
  /** What its box says. */
  title(): Title;
  /** Which of its rows it shows, where it has more than room. */
  readonly scroll?: Scroll;
  /** Rows that its content needs, without its frame: what it does not need its neighbors have. */
  readonly needs?: number;
  /** What it wants to know now. */
  wants(): Query | readonly Query[] | undefined;
  /**
   * How long (ms) what it wants to know stays good, where new pictures of the machine come more
   * often than it has to follow.
   */
  readonly staysGood?: number;
  /** It shows what happens, the newest last. */
  readonly streams?: boolean;
  /** Answers need only have what has happened since the one before. */
  readonly onward?: boolean;
  /**
   * Takes the answer to one of its queries; with `after`, what comes behind the rows that it has.
   */
  take(answer: Answer): void;
  /** Draws inside its box. */
  draw(screen: Screen, area: Rectangle, look: Look, state: PaneState): void;
  /** It draws its own boxes, and never has the keys. */
  readonly bare?: true;
  /** Moves the selection, or scrolls; Infinity is the end. */
  move(by: number): void;
  /**
   * Shows its next view, where it has several of its own; false where that is the first again, and
   * another pane's turn comes.
   */
  nextView?(): boolean;
  /**
   * A click on a row and a column of the area it was drawn in. Whether something is there that a
   * second click opens.
   */
  click(row: number, column: number): boolean;
  /** The selected row and its table, where it is a list of rows. */
  readonly selection: { readonly table: Table; readonly row: Row } | undefined;
  /** Rows of a page. */
  readonly page: number;
}

/** A pane whose rows a person filters. */
export interface FilteredPane extends Pane {
  /** The filter in force; empty: there is none. */
  readonly filterText: string;
  /** What is wrong with the filter that was set last. */
  readonly filterError: FilterError | undefined;
  /** Sets the filter; a bad one leaves the last good one in force. */
  setFilter(text: string): void;
  /** Whether a row is there, and passes the filter. */
  shows(id: string): boolean;
}

/** Whether a person can filter a pane. */
export function isFiltered(pane: Pane): pane is FilteredPane {
  return "setFilter" in pane;
}

/** What a pane says while its filter lets no row through. */
export function nothingPasses(filter: string): string {
  return `no rows match /${filter} (Esc clears)`;
}

/** A line of text and what it means. */
export interface Line {
  readonly text: string;
  readonly role?: Role;
  /** In place of the text: pieces with inks of their own. */
  readonly pieces?: readonly Piece[];
  /** What stands at the right end of the line. */
  readonly right?: readonly Piece[];
  /** The background of the line, and the ink of a bar at its left. */
  readonly tint?: Role;
  readonly bar?: Role;
}
