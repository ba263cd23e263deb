// Lists as text: aligned columns for display.

import { alignsRight, rowCellText } from "./format.ts";
import { type Column, type Json, type Listing, type ListRow, usualColumns } from "../table.ts";
import { terminalWord } from "../../../kit/support/text/terminal-text.ts";
import { fit, textWidth } from "../../../kit/support/text/text-width.ts";

export type ListedColumns = readonly (readonly [name: string, column: Column])[];

/**
 * The columns of a list that is so wide, without those in which all of its rows have the usual
 * value; undefined: as wide as it wants, with all columns.
 */
export function listed(table: Listing, width: number | undefined, rows: readonly ListRow[] = []): ListedColumns {
  const usual = width !== undefined && rows.length ? usualColumns(table, rows) : undefined;
  return Object.entries(table.columns).filter(([name, column]) =>
    column.width !== undefined && (width === undefined || (column.from ?? 0) <= width) && !usual?.has(name)
  );
}

/** The columns that were named, in that order. */
export function namedColumns(table: Listing, names: readonly string[]): ListedColumns {
  return names.map((name) => [name, table.columns[name]]);
}

/** A list with its heading. Columns are as wide as their contents; the last one is not padded. */
export function listText(
  table: Listing,
  rows: readonly ListRow[],
  width: number | undefined,
  shown: ListedColumns = listed(table, width, rows),
): string {
  if (!rows.length) return `${table.empty}\n`;
  const columns = shown.map(([name, column]): [string, Column] => {
    const contents = rows.map((row) => textWidth(rowCellText(name, column, row)));
    return [name, { ...column, width: Math.max((column.title ?? name).length, ...contents) }];
  });
  if (width !== undefined) narrow(columns, shown, width);
  // No cell is wider than its column, but for columns that were narrowed.
  const cells = (row: ListRow) => columns.map(([name, column]) => fit(rowCellText(name, column, row), column.width ?? 0, "~"));
  return headingText(columns, width) + rows.map((row) => lineText(columns, cells(row), width)).join("");
}

/**
 * Narrows columns whose contents are wider than declared, those with the most too much first, if
 * all then have room on the line. Ids stay whole; the end of the line cuts the last column.
 */
function narrow(columns: [string, Column][], shown: ListedColumns, width: number): void {
  const own = ({ width = 0 }: Column) => width, last = columns.length - 1, [, rightmost] = columns[last];
  const lastWidth = alignsRight(rightmost) ? own(rightmost) : Math.min(own(rightmost), own(shown[last][1]));
  let excess = columns.slice(0, last).reduce((sum, [, column]) => sum + own(column) + 1, lastWidth) - width;
  const wide = columns.slice(0, last).map(([name, column], index) => ({ index, name, column, spare: own(column) - own(shown[index][1]) }))
    .filter(({ column: { kind }, spare }) => kind !== "id" && spare > 0).sort((a, b) => b.spare - a.spare);
  if (wide.reduce((sum, { spare }) => sum + spare, 0) < excess) return;
  for (const { index, name, column, spare } of wide) {
    if (excess <= 0) return;
    const less = Math.min(spare, excess);
    columns[index] = [name, { ...column, width: own(column) - less }];
    excess -= less;
  }
}

/** The line of the columns' names. */
export function headingText(columns: ListedColumns, width: number | undefined): string {
  return lineText(columns, columns.map(([name, column]) => column.title ?? name), width);
}

/** The columns, wider where a text needs more. */
export function widened(columns: ListedColumns, text: (column: ListedColumns[number], index: number) => string): ListedColumns {
  return columns.map((one, index) => [one[0], { ...one[1], width: Math.max(one[1].width ?? 0, textWidth(text(one, index))) }]);
}

export function rowText(columns: ListedColumns, row: ListRow, width: number | undefined): string {
  return lineText(columns, columns.map(([name, column]) => rowCellText(name, column, row)), width);
}

function lineText(columns: ListedColumns, cells: readonly string[], width: number | undefined): string {
  return cut(columns.map(([, column], index) => aligned(column, cells[index])).join(" "), width);
}

/** The line that names the columns, for programs: a tab between names. */
export function tsvHeading(shown: ListedColumns): string {
  return `${shown.map(([name]) => name).join("\t")}\n`;
}

/** A row for programs: exact values as in JSON, without units; empty if it has no value. */
export function tsvRow(row: ListRow, shown: ListedColumns): string {
  return `${shown.map(([name]) => tsvValue(row[name])).join("\t")}\n`;
}

function tsvValue(value: Json): string {
  if (value === null || value === undefined) return "";
  if (Array.isArray(value) && value.every((one) => typeof one === "string")) return terminalWord(value.join(" "));
  return terminalWord(typeof value === "object" ? JSON.stringify(value) : String(value));
}

function aligned(column: Column, text: string): string {
  const blanks = " ".repeat(Math.max((column.width ?? 0) - textWidth(text), 0));
  return alignsRight(column) ? blanks + text : text + blanks;
}

function cut(line: string, width: number | undefined): string {
  const text = line.trimEnd();
  return `${width === undefined ? text : fit(text, width, "~")}\n`;
}
