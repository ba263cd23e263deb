// Options of a list: its table, its columns, and its behavior.

import type { Title } from "../look/box.ts";
import type { ListColumn } from "../look/list.ts";
import type { Piece } from "../look/pieces.ts";
import type { Look, Role } from "../look/theme.ts";
import type { TableArguments } from "../../../model/queries/query.ts";
import type { Json, RowOf } from "../../../model/queries/table.ts";
import type { SessionTable } from "../../../model/queries/tables.ts";

/** Options of a list. */
export interface TablePaneOptions<T extends SessionTable> {
  readonly name: string;
  readonly table: T;
  readonly title: string;
  /** Arguments of the query besides the filter; undefined: nothing to ask now. */
  readonly args?: () => TableArguments<T["name"]> | undefined;
  /** How long (ms) an answer is good enough. */
  readonly staysGood?: number;
  /** Its text while there is nothing to ask. */
  readonly unasked?: string;
  /** Its text without rows, and how to get some; by default its table's. */
  readonly empty?: readonly [what: string, how: string];
  /** It shows events, newest last: the last row stays selected until the user moves away. */
  readonly stream?: true;
  /** A filter from the start. */
  readonly filter?: string;
  /** Columns instead of the table's; `width` is that of the pane. */
  columns?(width: number): readonly ListColumn<RowOf<T>>[];
  /** Usual values by column, beside those of the table. */
  readonly usual?: Readonly<Record<string, Json>>;
  /** Rows as cards of several lines, instead of columns. */
  card?(row: RowOf<T>, look: Look): readonly (readonly Piece[])[];
  /** The right end of its title. */
  readonly right?: () => readonly Piece[] | undefined;
  /** Default order of the rows; order of arrival if absent. */
  order?(a: RowOf<T>, b: RowOf<T>): number;
  /** Sees all rows that come, before any filter. */
  taken?(rows: readonly RowOf<T>[]): void;
  /** Its subject, in its title. */
  readonly about?: () => Pick<Title, "vm" | "vmDetail">;
  /** The background of a row that is not selected. */
  tint?(row: RowOf<T>): Role | undefined;
  /** The row that it is about now: selected whenever it is another one. */
  current?(rows: readonly RowOf<T>[]): RowOf<T> | undefined;
  /** Rows that are folded away until `v` unfolds them, unless a filter is set; and their name. */
  readonly folds?: { readonly what: string; of(row: RowOf<T>): boolean };
  /** The row selected at first, if there are several. */
  first?(rows: readonly RowOf<T>[]): RowOf<T> | undefined;
}
