// Whether rows are what their table says: each column with a value of its kind.

import type { Column, ColumnKind, RowOf, Selected, Table } from "./table.ts";

/** JSON types of a kind's values; `detail` is anything. */
const TYPES: Readonly<Record<Exclude<ColumnKind, "list" | "detail">, "string" | "number" | "boolean">> = {
  id: "string",
  word: "string",
  text: "string",
  number: "number",
  rate: "number",
  size: "number",
  share: "number",
  count: "string",
  time: "string",
  duration: "string",
  address: "string",
  flag: "boolean",
};

/** Whether a value is valid in a column. */
function fits({ kind, optional, words }: Column, value: unknown): boolean {
  if (value === null && optional) return true;
  if (kind === "detail") return value !== undefined;
  if (kind === "list") return Array.isArray(value) && value.every((one) => typeof one === "string");
  if (words && !words.some((word) => word === value)) return false;
  switch (TYPES[kind]) {
    case "string":
      return typeof value === "string";
    case "number":
      return typeof value === "number";
    case "boolean":
      return typeof value === "boolean";
  }
}

/** The columns of each table, as a list: answers have many rows. */
const LISTED = new WeakMap<Table["columns"], readonly (readonly [name: string, column: Column])[]>();

function listed(columns: Table["columns"]): readonly (readonly [name: string, column: Column])[] {
  const known = LISTED.get(columns) ?? Object.entries(columns);
  LISTED.set(columns, known);
  return known;
}

/** The defect of a row of a table; undefined for a valid one. */
export function rowIssue({ name, columns }: Table, row: unknown): string | undefined {
  if (typeof row !== "object" || row === null) return `a row of ${name} is not an object`;
  for (const [column, declared] of listed(columns)) {
    if (!fits(declared, (row as Readonly<Record<string, unknown>>)[column])) return `a row of ${name} has no ${declared.kind} ${column}`;
  }
  return undefined;
}

/** The row of a table; undefined: it is another table's, or not a whole row of it. */
export function rowIn<T extends Table>(table: T, selected: Selected | undefined): RowOf<T> | undefined {
  const rows = selected?.table.name === table.name ? [selected.row] : [];
  return areRowsOf(table, rows) ? rows[0] : undefined;
}

/** Whether rows are those of a table. */
export function areRowsOf<T extends Table>(table: T, rows: readonly unknown[]): rows is readonly RowOf<T>[] {
  return rows.every((row) => rowIssue(table, row) === undefined);
}
