// A question about a session's machine, and its answer: plain data, the same in process and over a
// socket.

import * as v from "valibot";
import { amount, count, listOf } from "./fields.ts";
import {
  type AnyArguments,
  anyArguments,
  argumentsIssue,
  type NoArguments,
  type QueryArguments,
  type TakenArguments,
} from "./query-arguments.ts";
import type { PlaceOfRun } from "./move.ts";
import { isStream, type Row, type RowOf, type Table } from "./table.ts";
import { TABLE_NAMES, type TableName, TABLES } from "./tables.ts";
import { areRowsOf, rowIssue } from "./rows.ts";
import { gap, unrecorded } from "./facts/gap.ts";
import { inQuery, queryProblem } from "./facts/problem.ts";
import { asProblem, type Problem, problemText, type Said } from "../../kit/support/problem.ts";
import { once } from "../../kit/support/values/once.ts";

const tableName = v.picklist(TABLE_NAMES);

/** A question of one table. */
export type QueryOf<N extends TableName> = { [T in N]: { readonly table: T; readonly args: TableArguments<T> } }[N];
/** A question: each table has its arguments. */
export type Query = QueryOf<TableName>;

/** The arguments of queries, by table. */
type ArgumentsByTable = {
  [N in TableName]: QueryArguments<typeof TABLES[N] extends { readonly args: infer A extends TakenArguments } ? A : NoArguments>;
};
export type TableArguments<N extends TableName> = ArgumentsByTable[N];

/** A query of a table that only the caller knows. */
export function queryOf<N extends TableName>(table: N, args: TableArguments<N>): QueryOf<N> {
  return { table, args } as QueryOf<N>;
}

/** Tables whose queries need no argument. */
export type ListTable = { [N in TableName]: NoArguments extends TableArguments<N> ? N : never }[TableName];

function isListTable(name: TableName): name is ListTable {
  return !("issue" in readQuery(name, {}));
}

export const listTables = once((): readonly ListTable[] => TABLE_NAMES.filter(isListTable));

/** A query for the rows of such a table. */
export function listQuery(table: ListTable, args: QueryArguments<NoArguments>): Query {
  return queryOf(table, args);
}

/** Tables whose rows are events in their order. */
export type StreamTable = { [N in TableName]: "after" extends keyof TableArguments<N> ? N : never }[TableName];

/** A question for which the run has to be repeated. */
export type PastQuery = QueryOf<"who"> | EarlierQuery;
/** A question about an earlier place. */
export type EarlierQuery = QueryOf<"print"> & { readonly args: { readonly before: PlaceOfRun } };

export function isAboutPast(query: Query): query is PastQuery {
  return query.table === "who" || query.table === "print" && query.args.before !== undefined;
}

/** Whether a query is for what happens. */
export function isStreamQuery(query: Query): query is QueryOf<StreamTable> {
  return isStream(TABLES[query.table]);
}

/** A query whose table and arguments were chosen outside of el2, or what is wrong with it. */
export function readQuery(name: TableName, args: AnyArguments): Query | { readonly issue: string } {
  const table: Table = TABLES[name], issue = argumentsIssue(table.args, args);
  return issue === undefined ? queryOf(name, args) : { issue };
}

/** A question as it comes from outside. */
export const query: v.GenericSchema<unknown, Query> = v.pipe(
  v.strictObject({ table: tableName, args: anyArguments }),
  v.rawTransform(({ dataset: { value: { table, args } }, addIssue, NEVER }) => {
    const read = readQuery(table, args);
    if (!("issue" in read)) return read;
    addIssue({ message: read.issue });
    return NEVER;
  }),
);

/**
 * How a question is answered again, each time with a sample. Rows of a state that stays the same
 * are sent twice, and then not until they change.
 */
export const repeat = v.strictObject({
  /** Limit on the answers after the first. */
  times: count(),
  /** Minimum time (wall ms) after the previous answer. */
  every: v.pipe(amount, v.minValue(0)),
  /**
   * Of what happens, each answer but the first has only what is after the `cursor` of the one
   * before, which it names.
   */
  onward: v.optional(v.boolean()),
});
export type Repeat = Readonly<v.InferOutput<typeof repeat>>;

export const answer = v.pipe(
  v.object({
    table: tableName,
    /** When the rows were true: virtual time in ns, and instructions retired; decimal. */
    at: v.object({ ns: v.string(), insn: v.string() }),
    rows: listOf(v.custom<Row>((row) => typeof row === "object" && row !== null)),
    /** Rows that were lost before they could be read. */
    dropped: count(),
    /** For what happens: where to continue. */
    cursor: v.optional(v.string()),
    /** The rows are only those after this cursor, as the query said. */
    after: v.optional(v.string()),
    /** Gaps in the rows, where a guest's memory could not be read. */
    gaps: v.optional(listOf(gap)),
    /** Of events: times in which some were not recorded. */
    unrecorded: v.optional(listOf(unrecorded)),
    /** Why there is no answer: an object that does not exist, or an error in the query. */
    error: v.optional(v.string()),
    /** The same as data. */
    problem: v.optional(queryProblem),
  }),
  v.rawCheck(({ dataset, addIssue }) => {
    if (!dataset.typed) return;
    const { table, rows } = dataset.value;
    for (const row of rows) {
      const message = rowIssue(TABLES[table], row);
      if (message !== undefined) return addIssue({ message });
    }
  }),
);
export type Answer = Readonly<v.InferOutput<typeof answer>>;

/** Why an answer has no rows; undefined if it is one. */
export function problemIn({ error, problem }: Answer): Problem | undefined {
  return problem ? inQuery(problem) : error === undefined ? undefined : { what: error };
}

/** The answer of a machine that is not there (any more). */
export function noAnswer(said: Said): Answer {
  const problem = asProblem(said);
  return {
    table: "vm.ls",
    at: { ns: "0", insn: "0" },
    rows: [],
    dropped: 0,
    error: problemText(problem),
    problem: { code: "session", ...problem },
  };
}

/**
 * The rows of an answer to a query of `table`; none if it says what is wrong instead.
 * @throws Error if it answers another one
 */
export function rowsOf<T extends Table>(table: T, { table: answered, rows }: Pick<Answer, "table" | "rows">): readonly RowOf<T>[] {
  // A session that has ended answers everything alike.
  if (!rows.length) return [];
  if (answered !== table.name) throw new Error(`an answer to ${answered}, not to ${table.name}`);
  if (!areRowsOf(table, rows)) throw new Error(`these are not rows of ${table.name}`);
  return rows;
}
