// Values as lists show them (docs/design/workstation.md §6): binary sizes, virtual seconds with six
// decimals, `-` for none.

import { terminalWord } from "../support/terminal-text.ts";
import { Access } from "../abi/words.ts";
import type { Column, Json, ListRow } from "./table.ts";

/** A size in bytes with a binary unit: `64K`, `1.5M`. */
export function sizeText(bytes: number): string {
  let value = bytes, unit = "";
  for (const next of ["K", "M", "G"]) {
    if (value < 1024) break;
    value /= 1024;
    unit = next;
  }
  return `${Number.isInteger(value) ? value : value.toFixed(1)}${unit}`;
}

/** A duration in ns with a unit: `0.4ms`. */
export function durationText(ns: number): string {
  if (ns < 1000) return `${Math.round(ns)}ns`;
  if (ns < 1e5) return `${(ns / 1e3).toFixed(1)}us`;
  if (ns < 1e9) return `${(ns / 1e6).toFixed(1)}ms`;
  return `${(ns / 1e9).toFixed(1)}s`;
}

/** Virtual time in ns as seconds. */
export function timeText(ns: number): string {
  return (ns / 1e9).toFixed(6);
}

/** A count with at most four digits and a decimal unit. */
export function countText(value: number): string {
  if (value < 10000) return String(Math.round(value));
  for (const [unit, size] of [["K", 1e3], ["M", 1e6], ["G", 1e9]] as const) {
    const scaled = value / size;
    if (scaled < 9999.5) return `${scaled < 99.95 ? scaled.toFixed(1) : Math.round(scaled)}${unit}`;
  }
  return `${(value / 1e12).toFixed(1)}T`;
}

/** A value of a column as a list shows it. */
export function cellText(column: Column, value: Json | undefined): string {
  if (value === null || value === undefined || value === "") return "-";
  switch (column.kind) {
    case "size":
      return sizeText(Number(value));
    case "share":
      return `${Math.round(Number(value) * 100)}%`;
    case "rate":
      return countText(Number(value));
    case "count":
      return countText(Number(value));
    case "time":
      return timeText(Number(value));
    case "duration":
      return durationText(Number(value));
    case "flag":
      return value ? "yes" : "-";
    case "list":
      return Array.isArray(value) && value.length ? terminalWord(value.join(" ")) : "-";
    case "detail":
      return terminalWord(JSON.stringify(value));
    default:
      return terminalWord(String(value));
  }
}

/** The value that a row has in a column, as a list shows it: in the unit that the row names. */
export function rowCellText(name: string, column: Column, row: ListRow): string {
  const value = row[name];
  return column.unit !== undefined && row[column.unit] === "bytes" && value !== null ? sizeText(Number(value)) : cellText(column, value);
}

/** Whether a column's values are right-aligned. */
export function alignsRight({ kind }: Column): boolean {
  return ["number", "rate", "size", "share", "count", "duration"].includes(kind);
}

/** Structured data in a line. */
export function plainText(value: Json): string {
  if (value === null) return "-";
  if (Array.isArray(value)) return value.map(plainText).join(" ");
  if (typeof value === "object") return Object.entries(value).map(([name, field]) => `${name}=${plainText(field)}`).join(" ");
  return String(value);
}

/** A file without its folders, with what follows it. */
export function lastPart(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** The requester of a refused operation, and the place in its code. */
export function askedByText({ asked_by, pc, symbol, source }: { readonly [name: string]: Json }): string {
  const line = typeof source === "string" ? [`at ${lastPart(source)}`] : [];
  return [asked_by, ...pc === null ? [] : ["at", pc], ...symbol === null ? [] : [symbol], ...line].join(" ");
}

/** `rwx` with what is allowed. */
export function accessText(access: number): string {
  return (access & Access.R ? "r" : "") + (access & Access.W ? "w" : "") + (access & Access.X ? "x" : "") || "none";
}
