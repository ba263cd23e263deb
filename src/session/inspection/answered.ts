// Rows as an answer, whoever has read them, or the defect of the question. Filters are remembered.

import { type Filter, FilterError, parseFilter } from "../../model/queries/filters/filter.ts";
import type { Gap, Unrecorded } from "../../model/queries/facts/gap.ts";
import { inQuery } from "../../model/queries/facts/problem.ts";
import { type Answer, isStreamQuery, type Query } from "../../model/queries/query.ts";
import type { Row } from "../../model/queries/table.ts";
import { type TableName, TABLES } from "../../model/queries/tables.ts";
import type { InPieces } from "../../kit/support/values/work.ts";
import { problemText } from "../../kit/support/problem.ts";
import { QueryError } from "./readers/inspected.ts";

/**
 * Filters that are remembered: looks repeat, and reading a filter takes longer than the rows of
 * most tables.
 */
const KEPT_FILTERS = 32;

/** A reader's rows, and where to continue. */
export interface FoundRows<R = Row> {
  readonly rows: readonly R[];
  readonly dropped?: number;
  readonly cursor?: string;
  /** Parts of the rows that could not be read. */
  readonly gaps?: readonly Gap[];
  /** Times in which events of the log were not recorded. */
  readonly unrecorded?: readonly Unrecorded[];
}

/** Rows that are found at once or in pieces. */
export type MaybeInPieces<F> = F | InPieces<F>;

export function* inPieces<F extends FoundRows>(found: MaybeInPieces<F>): InPieces<F> {
  return "rows" in found ? found : yield* found;
}

/** Filters of questions. */
export class Filters {
  readonly #known = new Map<string, Filter>();

  /** @throws FilterError */
  of(table: TableName, text: string): Filter {
    const key = `${table} ${text}`;
    const known = this.#known.get(key);
    if (known) return known;
    const filter = parseFilter(text, TABLES[table]);
    if (this.#known.size === KEPT_FILTERS) this.#known.clear();
    this.#known.set(key, filter);
    return filter;
  }
}

/** The answer to a query; an `error` if it names what does not exist. */
export function* answered(query: Query, at: Answer["at"], read: () => MaybeInPieces<FoundRows>): InPieces<Answer> {
  try {
    const table = TABLES[query.table];
    if (!table) throw new QueryError(`no table ${JSON.stringify(query.table)}`, `use one of ${Object.keys(TABLES).join(", ")}`);
    const { rows, dropped = 0, cursor, gaps = [], unrecorded = [] } = yield* inPieces(read());
    const after = isStreamQuery(query) ? query.args.after : undefined;
    const places = { ...cursor !== undefined && { cursor }, ...after !== undefined && { after } };
    const missing = { ...gaps.length > 0 && { gaps }, ...unrecorded.length > 0 && { unrecorded } };
    return { table: query.table, at, rows, dropped, ...places, ...missing };
  } catch (error) {
    if (!(error instanceof QueryError || error instanceof FilterError)) throw error;
    const isFilter = error instanceof FilterError;
    const problem = { code: isFilter ? "filter" as const : "query" as const, ...isFilter ? error.marked : error.problem };
    return { table: query.table, at, rows: [], dropped: 0, error: problemText(inQuery(problem)), problem };
  }
}
