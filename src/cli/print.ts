// Answers on stdout: aligned columns for people, one JSON document or a row a line for programs
// (docs/design/workstation.md §2, "JSON").

import type { Answer } from "../queries/query.ts";
import { cellText } from "../queries/format.ts";
import { listed, listText, rowText } from "../queries/list-text.ts";
import { type Json, type Row, schemaName, type Table } from "../queries/table.ts";
import { writeAll } from "../support/write-all.ts";
import { TABLES } from "../queries/tables.ts";

/** Writes to stdout; when nobody reads any more, the program ends quietly. */
export function output(text: string): void {
  try {
    writeAll(Deno.stdout, new TextEncoder().encode(text), "stdout");
  } catch (error) {
    if (error instanceof Deno.errors.BrokenPipe) Deno.exit(0);
    throw error;
  }
}

/**
 * Text that may be anybody's, for a terminal: control characters, which could move its cursor,
 * become U+FFFD. Line breaks stay.
 */
export function printable(text: string): string {
  return text.replaceAll(/[\x00-\x09\x0b-\x1f\x7f-\x9f]/g, "\ufffd");
}

/**
 * Prints an answer. On a terminal lists are as wide as it is; elsewhere nothing is cut.
 * @param none what is said where there are no rows; else what the table says
 */
export function printAnswer(session: string, answer: Answer, json: boolean, none?: string): void {
  const table: Table = TABLES[answer.table];
  if (json) return output(`${JSON.stringify(answerJson(session, answer))}\n`);
  if (!answer.rows.length && none !== undefined) output(`${none}\n`);
  else output(listText(table, answer.rows, terminalWidth()));
  if (answer.dropped) console.error(`el2: ${answer.dropped} rows were lost before they could be read`);
}

/** What a list without rows says where a filter let none through. */
export const nothingPasses = (filter: string | undefined): string | undefined => filter ? `nothing passes ${filter}` : undefined;

/** The document of `--json`. */
function answerJson(session: string, { table, at, rows, dropped }: Answer): Json {
  return { schema: schemaName(TABLES[table]), session, at, data: rows, dropped };
}

/** One row of a stream. */
export function printStreamRow(session: string, answer: Answer, row: Row, json: boolean): void {
  const table: Table = TABLES[answer.table];
  if (json) output(`${JSON.stringify(answerJson(session, { ...answer, rows: [row] }))}\n`);
  else output(rowText(listed(table, terminalWidth()), row, terminalWidth()));
}

/** Width of the terminal on stdout; undefined where there is none. */
function terminalWidth(): number | undefined {
  return Deno.stdout.isTerminal() ? Deno.consoleSize().columns : undefined;
}

/** A row in full, a field a line. */
export function recordText(table: Table, row: Row): string {
  const names = Object.keys(table.columns);
  const width = Math.max(...names.map((name) => name.length));
  const lines = names.flatMap((name) => {
    const value = row[name], column = table.columns[name];
    if (column.kind === "detail") return detailLines(name.padEnd(width), value);
    const exact = column.kind === "size" && value !== null ? ` (${value} bytes)` : "";
    return [`${name.padEnd(width)}  ${cellText(column, value)}${exact}`];
  });
  return lines.map((line) => `${line}\n`).join("");
}

function detailLines(name: string, value: Json): string[] {
  if (value === null) return [`${name}  -`];
  if (Array.isArray(value)) {
    return value.length ? value.map((one, index) => `${index ? " ".repeat(name.length) : name}  ${inline(one)}`) : [`${name}  -`];
  }
  return [`${name}  ${inline(value) || "-"}`];
}

/** Structured data in a line. */
export function inline(value: Json): string {
  if (value !== null && typeof value === "object" && !Array.isArray(value)) {
    return Object.entries(value).map(([name, field]) => `${name}=${inline(field)}`).join(" ");
  }
  return Array.isArray(value) ? `[${value.map(inline).join(", ")}]` : String(value);
}
