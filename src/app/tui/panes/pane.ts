// The parts of a screen: panes that ask questions, take answers, draw themselves and move their
// selection.

import type { Rectangle, Screen } from "../terminal/cells.ts";
import type { Scroll, Title } from "../look/box.ts";
import type { Piece } from "../look/pieces.ts";
import type { SpokenLine, SpokenSize } from "../look/speech.ts";
import type { Look, Role } from "../look/theme.ts";
import type { FilterError } from "../../../model/queries/filters/filter.ts";
import type { Answer, Query } from "../../../model/queries/query.ts";
import type { Selected } from "../../../model/queries/table.ts";

/** State of a pane on its screen. */
export interface PaneState {
  /** It has the keys. */
  readonly focused: boolean;
  /** Panes have boxes; otherwise rules. */
  readonly boxed: boolean;
  /** The screen shows an earlier place of the run. */
  readonly past: boolean;
}

/** A pane of a screen. */
export interface Pane {
  /** Unique in its screen. */
  readonly name: string;
  /** Title of its box. */
  title(): Title;
  /** The visible part of its rows, if there are more. */
  readonly scroll?: Scroll;
  /** Rows that its content needs, without its frame: its neighbors get the rest. */
  readonly needs?: number;
  /** Its present questions. */
  queries(): Query | readonly Query[] | undefined;
  /**
   * How long (ms) its answers stay good, where new pictures of the machine come more often than it
   * has to follow.
   */
  readonly staysGood?: number;
  /** Until when (`performance.now()`) its oldest mark stays; Infinity without marks. */
  readonly marksUntil?: number;
  /** It shows what happens, the newest last. */
  readonly streams?: boolean;
  /** Answers need only have what has happened since the one before. */
  readonly onward?: boolean;
  /**
   * Shows the answer to one of its queries; with `after`, the events after the rows that it has.
   */
  receive(answer: Answer): void;
  /** Draws inside its box. */
  draw(screen: Screen, area: Rectangle, look: Look, state: PaneState): void;
  /** Its text for screen readers: the rows that fit, without pictures. */
  spoken(look: Look, size: SpokenSize, focused: boolean): readonly SpokenLine[];
  /** It draws its own boxes, and never has the keys. */
  readonly bare?: true;
  /** Moves the selection, or scrolls; Infinity is the end. */
  move(by: number): void;
  /**
   * Shows its next view, if it has several; false when the first comes again, and it is another
   * pane's turn.
   */
  nextView?(): boolean;
  /**
   * A click on a row and a column of the area it was drawn in. Whether something is there that a
   * second click opens.
   */
  click(row: number, column: number): boolean;
  /** The selected row and its table, if it is a list of rows. */
  readonly selection: Selected | undefined;
  /** Rows of a page. */
  readonly page: number;
}

/** A pane whose rows can be filtered. */
export interface FilteredPane extends Pane {
  /** The filter in force; empty: there is none. */
  readonly filterText: string;
  /** The error of the last filter. */
  readonly filterError: FilterError | undefined;
  /** Sets the filter; a bad one leaves the last good one in force. */
  setFilter(text: string): void;
  /** Whether the list has a row, and it matches the filter. */
  shows(id: string): boolean;
}

/** Whether a pane can be filtered. */
export function isFiltered(pane: Pane): pane is FilteredPane {
  return "setFilter" in pane;
}

/** Text of a pane whose filter matches no row. */
export function nothingPasses(filter: string): string {
  return `no rows match /${filter} (Esc clears)`;
}

/** A line of text and what it means. */
export interface Line {
  readonly text: string;
  readonly role?: Role;
  /** Instead of the text: pieces with their own inks. */
  readonly pieces?: readonly Piece[];
  /** The right end of the line. */
  readonly right?: readonly Piece[];
  /** The background of the line, and the ink of a bar at its left. */
  readonly tint?: Role;
  readonly bar?: Role;
}
