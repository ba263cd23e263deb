// Tasks as a tree: each below its parent, as `ps f` and `pstree` show them.

import type { LinuxTables } from "../../../model/queries/linux-tables.ts";
import type { RowOf } from "../../../model/queries/table.ts";

type TaskRow = RowOf<LinuxTables["linux.ps"]>;

const BRANCH = "\\_ ", STEP = "    ";

/**
 * The same rows, each after its parent and with its place in the tree. Those of a circle of
 * parents, which only forged memory has, are at the end.
 */
export function asTree(rows: readonly TaskRow[]): TaskRow[] {
  const numbers = new Set(rows.map(({ pid }) => pid)), ordered = new Map<number, TaskRow>();
  // Threads are below their process.
  const above = ({ pid, tgid, ppid }: TaskRow) => tgid !== null && tgid !== pid ? tgid : ppid;
  const below = Map.groupBy(rows, (row) => above(row));
  const roots = rows.filter((row) => !numbers.has(above(row) ?? 0));
  const left = roots.map((row) => ({ row, depth: 0 })).reverse();
  for (let next = left.pop(); next; next = left.pop()) {
    const { row, depth } = next;
    if (ordered.has(row.pid)) continue;
    ordered.set(row.pid, { ...row, tree: `${depth > 0 ? STEP.repeat(depth - 1) + BRANCH : ""}${row.name}` });
    left.push(...(below.get(row.pid) ?? []).map((child) => ({ row: child, depth: depth + 1 })).reverse());
  }
  return [...ordered.values(), ...rows.filter(({ pid }) => !ordered.has(pid)).map((row) => ({ ...row, tree: row.name }))];
}
