// Answers of the tools of `el2 mcp`: bounded, and each says what it left out.

import { GAPS } from "../../../model/queries/facts/gap.ts";
import { gapSentences } from "../../../model/queries/texts/row-gaps.ts";
import type { Answer } from "../../../model/queries/query.ts";
import type { Json, Row } from "../../../model/queries/table.ts";
import { problemText } from "../../../kit/support/problem.ts";
import { terminalText } from "../../../kit/support/text/terminal-text.ts";

/** A tool's answer. */
export interface ToolAnswer {
  readonly text: string;
  /** It did not do what it was asked for. */
  readonly failed: boolean;
}

/**
 * A tool's answer, whatever it is made of: bounded, and without characters that guests could
 * choose to reorder or hide it.
 * @param hint how to see what is left out
 * @param end a line after the text
 */
export function toolAnswer(text: string, { failed = false, hint = "ask for less", end = "" } = {}): ToolAnswer {
  return { text: boundedText(text, hint) + end, failed };
}

/** Characters of an answer: about 6000 tokens. */
export const ANSWER_MAX = 24_000;
/** Share of a truncated text to keep from its beginning. */
const HEAD = 0.6;
/** Gaps that are named, and characters of each. */
const MOST_GAPS = 10, GAP_MAX = 200;
/** Characters for what surrounds the rows. */
const FRAME = 600;

/** A text of at most ANSWER_MAX characters; the note in its middle names what is missing. */
export function boundedText(text: string, hint: string): string {
  // Guests choose what their consoles and names contain.
  const plain = terminalText(text);
  if (plain.length <= ANSWER_MAX) return plain;
  const head = Math.floor(ANSWER_MAX * HEAD), tail = ANSWER_MAX - head;
  return `${plain.slice(0, head)}\n[${plain.length - ANSWER_MAX} characters left out; ${hint}]\n${plain.slice(-tail)}`;
}

/** How rows are chosen. */
interface RowChoice {
  readonly limit: number;
  /** Only these columns. */
  readonly columns?: readonly string[];
  /** The machine may have more rows than the answer. */
  readonly atLeast?: boolean;
}

/**
 * Rows as JSON: as many as the limit and ANSWER_MAX allow; `left_out` has the number of further
 * rows and how to see them.
 */
export function rowsText(session: string, answer: Answer, { limit, columns, atLeast = false }: RowChoice): string {
  const rows: Json[] = [], incomplete = incompleteText(answer);
  let size = FRAME + JSON.stringify(incomplete).length;
  for (const row of answer.rows.slice(0, limit)) {
    const chosen = columns ? chosenColumns(row, columns) : row;
    size += terminalText(JSON.stringify(chosen)).length + 1;
    if (size > ANSWER_MAX) break;
    rows.push(chosen);
  }
  const missing = answer.rows.length - rows.length;
  const leftOut: Json = missing || answer.dropped
    ? {
      rows: missing,
      ...atLeast && { or_more: true },
      ...answer.dropped > 0 && { lost_before_they_could_be_read: answer.dropped },
      see: `narrow with "filter", choose "columns", or raise "limit"`,
    }
    : null;
  return JSON.stringify({
    table: answer.table,
    session,
    at: answer.at,
    rows,
    left_out: leftOut,
    ...incomplete.length > 0 && { incomplete },
  });
}

/** Gaps of the rows: a guest's memory that could not be read, events that were not recorded. */
function incompleteText({ rows, gaps = [], unrecorded = [] }: Answer): string[] {
  const unread = gaps.map((gap) => problemText(GAPS.problem(gap)));
  const all = [...unread, ...gapSentences(unrecorded, rows)].map((text) => terminalText(text).slice(0, GAP_MAX));
  return all.length > MOST_GAPS ? [...all.slice(-MOST_GAPS), `and ${all.length - MOST_GAPS} more`] : all;
}

/** Which rows an answer has: some of those after the first `after`. */
export interface Page {
  readonly after: number;
  readonly limit: number;
}

/** Rows in order, each as JSON, of which an answer has a page. */
export class PageOfRows {
  readonly #rows: string[] = [];
  #size = FRAME;
  #count = 0;
  #isFull = false;

  constructor(readonly page: Page) {}

  add(given: string): void {
    if (this.#count++ < this.page.after || this.#isFull) return;
    const marked = terminalText(given), isTooLong = FRAME + marked.length >= ANSWER_MAX;
    const row = isTooLong ? JSON.stringify({ left_out: `a row of ${marked.length} characters` }) : marked;
    this.#size += row.length + 1;
    this.#isFull = this.#rows.length === this.page.limit || this.#size > ANSWER_MAX;
    if (!this.#isFull) this.#rows.push(row);
  }

  /** `next` is the `after` of the page after this one. */
  get text(): string {
    const end = this.page.after + this.#rows.length;
    return `{"rows":[${this.#rows.join()}],"all":${this.#count},"next":${end < this.#count ? end : null}}`;
  }
}

export function pageText(rows: readonly Row[], page: Page): string {
  const answer = new PageOfRows(page);
  for (const row of rows) answer.add(JSON.stringify(row));
  return answer.text;
}

function chosenColumns(row: Row, columns: readonly string[]): Json {
  return Object.fromEntries(columns.map((name) => [name, row[name]]));
}
