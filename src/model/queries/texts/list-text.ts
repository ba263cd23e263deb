// Lists as text: aligned columns for display.

import { alignsRight, rowCellText } from "./format.ts";
import { type Column, type Json, type Listing, type ListRow, usualColumns } from "../table.ts";
import { terminalWord } from "../../../kit/support/text/terminal-text.ts";
import { fit, textWidth } from "../../../kit/support/text/text-width.ts";

export type Listed = readonly (readonly [name: string, column: Column])[];

/**
 * The columns of a list that is so wide, without those in which all of its rows have the usual
 * value; undefined: as wide as it wants, with all columns.
 */
export function listed(table: Listing, width: number | undefined, rows: readonly ListRow[] = []): Listed {
  const usual = width !== undefined && rows.length ? usualColumns(table, rows) : undefined;
  return Object.entries(table.columns).filter(([name, column]) =>
    column.width !== undefined && (width === undefined || (column.from ?? 0) <= width) && !usual?.has(name)
  );
}

/** The columns that were named, in that order. */
export function namedColumns(table: Listing, names: readonly string[]): Listed {
  return names.map((name) => [name, table.columns[name]]);
}

/** A list with its heading. Columns are as wide as their contents; the last one is not padded. */
export function listText(
  table: Listing,
  rows: readonly ListRow[],
  width: number | undefined,
  shown: Listed = listed(table, width, rows),
): string {
  if (!rows.length) return `${table.empty}\n`;
  const columns = shown.map(([name, column]): [string, Column] => {
    const contents = rows.map((row) => textWidth(rowCellText(name, column, row)));
    return [name, { ...column, width: Math.max((column.title ?? name).length, ...contents) }];
  });
  return headingText(columns, width) + rows.map((row) => rowText(columns, row, width)).join("");
}

/** The line of the columns' names. */
export function headingText(columns: Listed, width: number | undefined): string {
  return cut(columns.map(([name, column]) => aligned(column, column.title ?? name)).join(" "), width);
}

/** The columns, wider where a text needs more. */
export function widened(columns: Listed, text: (column: Listed[number], index: number) => string): Listed {
  return columns.map((one, index) => [one[0], { ...one[1], width: Math.max(one[1].width ?? 0, textWidth(text(one, index))) }]);
}

export function rowText(columns: Listed, row: ListRow, width: number | undefined): string {
  return cut(columns.map(([name, column]) => aligned(column, rowCellText(name, column, row))).join(" "), width);
}

/** The line that names the columns, for programs: a tab between names. */
export function tsvHeading(shown: Listed): string {
  return `${shown.map(([name]) => name).join("\t")}\n`;
}

/** A row for programs: exact values as in JSON, without units; empty if it has no value. */
export function tsvRow(row: ListRow, shown: Listed): string {
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
