// Rows of a list: which are marked as bad, and their order by a column.

import type { Json, RowOf, Table } from "../../../model/queries/table.ts";

/** A refused or failed row: `!` precedes it. */
export function isBad(row: RowOf<Table>): boolean {
  return row.refused === true || row.err === true || typeof row.finding === "string" ||
    typeof row.state === "string" && BAD_STATES.has(row.state);
}

const BAD_STATES: ReadonlySet<string> = new Set(["blocked", "fault", "failed", "init_failed", "killed"]);

/** Sorts by a column; rows without a value come last. */
export function sortRows<T extends Table>(rows: RowOf<T>[], table: T, name: string, reverse: boolean): void {
  const numeric = ["number", "rate", "size", "share", "count", "time", "duration", "address"].includes(table.columns[name].kind);
  const key = (value: Json) =>
    value === null ? undefined : numeric ? Number(value) : Array.isArray(value) ? value.join(" ") : String(value);
  rows.sort((a, b) => {
    const left = key(a[name]), right = key(b[name]);
    if (left === right) return 0;
    if (left === undefined || right === undefined) return left === undefined ? 1 : -1;
    const order = left < right ? -1 : 1;
    return reverse ? -order : order;
  });
}
