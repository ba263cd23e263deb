// Values as lists show them (docs/design/workstation.md §6): binary sizes, virtual seconds with six
// decimals, `-` for none.

import { terminalWord } from "../../../kit/support/text/terminal-text.ts";
import { Access } from "../../../machine/abi/words.ts";
import { countText, durationText, hex, sizeText, timeText } from "../../../kit/support/text/number-text.ts";
import type { Column, Json, ListRow } from "../table.ts";

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
    case "word":
      return terminalWord(column.shown?.[String(value)] ?? String(value));
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
  if (typeof value === "object") return Object.entries(value).map(([name, field]) => `${name}=${fieldText(name, field)}`).join(" ");
  return String(value);
}

/** Fields of requests that hold VMIDs. */
const VMIDS: ReadonlySet<string> = new Set(["vmid", "from", "to", "owner", "partner"]);

/** A field of structured data: VMIDs are hexadecimal, as wherever VMs are listed. */
export function fieldText(name: string, value: Json): string {
  return VMIDS.has(name) && typeof value === "number" ? hex(value) : plainText(value);
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
