// Answers on stdout: aligned columns for display, one JSON document or one row per line for
// programs (docs/design/workstation.md §2, "JSON").

import { GAPS } from "../../../model/queries/facts/gap.ts";
import { cellText, rowCellText } from "../../../model/queries/texts/format.ts";
import {
  headingText,
  listed,
  type ListedColumns,
  listText,
  namedColumns,
  rowText,
  tsvHeading,
  tsvRow,
  widened,
} from "../../../model/queries/texts/list-text.ts";
import { gapSentence, gapsOf, type RowGap } from "../../../model/queries/texts/row-gaps.ts";
import type { Answer } from "../../../model/queries/query.ts";
import { type Json, type Listing, type ListRow, type Row, schemaName, type Table } from "../../../model/queries/table.ts";
import { TABLES } from "../../../model/queries/tables.ts";
import { isOfSystem } from "../../../kit/support/system-error.ts";
import { beginLink, LINK_END, showsHyperlinks } from "../../../kit/support/text/hyperlink.ts";
import { terminalText, terminalWord } from "../../../kit/support/text/terminal-text.ts";
import { sayOnStderr } from "../../../kit/support/warn.ts";
import { writeAll } from "../../../kit/support/files/write-all.ts";
import { problemText } from "../../../kit/support/problem.ts";

/** The columns of a list and its format. */
export interface ListForm {
  readonly columns?: readonly string[];
  readonly output?: "wide" | "tsv";
}

/**
 * Writes to stdout; without a reader the program ends quietly. On a terminal control characters are
 * shown as text; elsewhere bytes stay as they are.
 */
export function output(text: string): void {
  outputBytes(new TextEncoder().encode(Deno.stdout.isTerminal() ? terminalText(text) : text));
}

/** Writes a line that ends in a hyperlink, if stdout is a terminal that shows them. */
export function outputLink(before: string, text: string, target: string | undefined): void {
  if (target === undefined || !Deno.stdout.isTerminal() || !showsHyperlinks((name) => Deno.env.get(name))) {
    return output(`${before}${text}\n`);
  }
  outputBytes(new TextEncoder().encode(`${terminalText(before)}${beginLink(target)}${terminalText(text)}${LINK_END}\n`));
}

/** Writes bytes to stdout as they are: only when raw output was requested. */
export function outputBytes(bytes: Uint8Array): void {
  try {
    writeAll(Deno.stdout, bytes, "stdout");
  } catch (error) {
    if (error instanceof Deno.errors.BrokenPipe) Deno.exit(0);
    throw error;
  }
}

/**
 * A line on stderr, where control characters are always shown as text. If it cannot be written, as
 * on a terminal that has gone, it is lost, and work in progress ends in order.
 */
export function report(line: string): void {
  sayOnStderr(line);
}

/**
 * Shows progress on stderr, if that is a terminal: one line, which the next such line replaces.
 * @param last the line stays
 */
export function progress(line: string, last = false): void {
  if (!Deno.stderr.isTerminal()) return;
  try {
    Deno.stderr.writeSync(new TextEncoder().encode(`\r${terminalWord(line)}\x1b[K${last ? "\n" : "\r"}`));
  } catch (error) {
    // As with `report`: work in progress ends in order on a terminal that has gone.
    if (!isOfSystem(error)) throw error;
  }
}

/**
 * Prints an answer. On a terminal lists are as wide as it is; elsewhere nothing is cut.
 * @param none text without rows; by default the table's
 * @param list columns and format
 */
export function printAnswer(session: string, answer: Answer, json: boolean, none?: string, list: ListForm = {}): void {
  const table: Table = TABLES[answer.table];
  if (json) return output(`${JSON.stringify(answerJson(session, answer))}\n`);
  printRows(table, answer.rows, none, list);
  reportGaps(answer);
  const { unrecorded = [], rows } = answer;
  for (const gap of gapsOf(unrecorded, rows)) reportRowGap(gap, rows[gap.before]);
  if (answer.dropped) report(`el2: ${answer.dropped} rows were lost before they could be read`);
}

/** Prints the gaps of an answer to stderr. */
export function reportGaps({ gaps = [] }: Answer): void {
  for (const gap of gaps) report(`el2: incomplete: ${problemText(GAPS.problem(gap))}`);
}

const reportRowGap = (gap: RowGap, row: ListRow): void => report(`el2: incomplete: ${gapSentence(gap, row)}`);

export function printRows(table: Listing, rows: readonly ListRow[], none: string | undefined, list: ListForm): void {
  const shown = shownColumns(table, list, rows);
  if (list.output === "tsv") output(tsvHeading(shown) + rows.map((row) => tsvRow(row, shown)).join(""));
  else if (!rows.length && none !== undefined) output(`${none}\n`);
  else output(listText(table, rows, lineWidth(list), shown));
}

/** The columns that the options choose, or on a terminal those that fit and say something. */
function shownColumns(table: Listing, { columns, output: form }: ListForm, rows: readonly ListRow[] = []): ListedColumns {
  if (columns) return namedColumns(table, columns);
  return listed(table, form === undefined ? terminalWidth() : undefined, rows);
}

/**
 * Width of lines; with chosen columns, or all of them, they may be longer than the terminal is
 * wide.
 */
function lineWidth({ columns, output: form }: ListForm): number | undefined {
  return columns || form ? undefined : terminalWidth();
}

/** Text of a list without rows where a filter matches none. */
export const nothingPasses = (filter: string | undefined): string | undefined => filter ? `no rows match ${filter}` : undefined;

/** The document of `--json`. */
export function answerJson(session: string, { table, at, rows, dropped, gaps, unrecorded }: Answer): Json {
  const spans = unrecorded?.map(({ from, to, ...rest }) => ({ from: String(Math.round(from)), to: String(Math.round(to)), ...rest }));
  return { schema: schemaName(TABLES[table]), session, at, data: rows, dropped, ...gaps && { gaps }, ...spans && { unrecorded: spans } };
}

/**
 * Prints rows of a list as they come, below its heading: columns are as wide as their declaration
 * says, and as the widest value so far.
 */
export class RowStream {
  #shown: ListedColumns;

  constructor(readonly table: Table, readonly list: ListForm, readonly json: boolean) {
    this.#shown = shownColumns(table, list);
    if (json) return;
    if (list.output !== "tsv") this.#shown = widened(this.#shown, ([name, { title }]) => title ?? name);
    output(list.output === "tsv" ? tsvHeading(this.#shown) : headingText(this.#shown, lineWidth(list)));
  }

  /** @param gap between the row before and this one */
  print(session: string, answer: Answer, row: Row, gap?: RowGap): void {
    if (this.json) return output(`${JSON.stringify(answerJson(session, { ...answer, rows: [row], unrecorded: gap?.spans }))}\n`);
    if (this.list.output === "tsv") {
      if (gap) reportRowGap(gap, row);
      return output(tsvRow(row, this.#shown));
    }
    if (gap) output(`-- ${gap.text} --\n`);
    // The last column moves nothing.
    this.#shown = widened(this.#shown, ([name, column], index) => index < this.#shown.length - 1 ? rowCellText(name, column, row) : "");
    output(rowText(this.#shown, row, lineWidth(this.list)));
  }
}

/** Width of the terminal on stdout; undefined without one, or if it does not know its own. */
function terminalWidth(): number | undefined {
  return Deno.stdout.isTerminal() ? Deno.consoleSize().columns || undefined : undefined;
}

/** A full row, one field per line. */
export function fieldsText(table: Table, row: Row): string {
  const names = Object.keys(table.columns);
  const width = Math.max(...names.map((name) => name.length));
  const lines = names.flatMap((name) => {
    const value = row[name], column = table.columns[name];
    // A column for few rows has no line in the others.
    if (value === null && column.usual === null) return [];
    if (column.kind === "detail") return detailLines(name.padEnd(width), column.lines?.(value) ?? value);
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
