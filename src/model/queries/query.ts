// A question about a session's machine, and its answer: plain data, the same in process and over a
// socket.

import * as v from "valibot";
import { amount, count, listOf, name, text, unsigned } from "./fields.ts";
import type { Row, RowOf, Table } from "./table.ts";
import { TABLE_NAMES, TABLES } from "./tables.ts";
import { areRowsOf, rowIssue } from "./rows.ts";
import { gap } from "./facts/gap.ts";
import { inQuery, queryProblem } from "./facts/problem.ts";
import { asProblem, type Problem, problemText, type Said } from "../../kit/support/problem.ts";

const tableName = v.picklist(TABLE_NAMES);

/** Arguments of a query in addition to the table. */
const queryArguments = v.strictObject({
  /** Only rows that this filter lets through. */
  filter: v.optional(text()),
  /** Limit on the rows; for events, the newest. */
  limit: v.optional(count()),
  /** Only what has happened since an answer with this `cursor`. */
  after: v.optional(name),
  /** Only events that ended at this virtual time (ns) or later. */
  since: v.optional(amount),
  /** Kinds of events, with commas. */
  kinds: v.optional(name),
  /** `vm:NAME`. */
  vm: v.optional(name),
  /** `vcpu:VM/INDEX`. */
  vcpu: v.optional(name),
  /** `mq:NUMBER`. */
  queue: v.optional(name),
  /** Number of a call frame, 0 for the innermost. */
  frame: v.optional(count()),
  /**
   * `pa:ADDRESS` or `ipa:VM/ADDRESS`; of code `VM:ADDRESS`, `VM:SYMBOL`, `VM:FILE:LINE` or
   * `VM/INDEX:pc`; of variables an expression.
   */
  at: v.optional(text()),
  /** Of a question about accesses: which ones; `event`: events that `filter` lets through. */
  access: v.optional(v.picklist(["write", "read", "exec", "owner", "event"])),
  /** Only accesses after which the memory or the register has this value. */
  value: v.optional(unsigned(64)),
  /**
   * Only what was before this place of the run: instructions retired, or virtual time (ns).
   * `order`: of several at that place, those before this one, from 1.
   */
  before: v.optional(v.variant("kind", [
    v.strictObject({ kind: v.literal("instructions"), count: count(), order: v.optional(count()) }),
    v.strictObject({ kind: v.literal("time"), at: v.pipe(amount, v.minValue(0)) }),
  ])),
  /** Follows a value to its origin, through at most so many places; absent: one access. */
  back: v.optional(count()),
  /** Bytes, or instructions. */
  size: v.optional(count()),
  /** A process or thread of Linux. */
  pid: v.optional(count()),
  /** Threads of Linux instead of processes. */
  threads: v.optional(v.boolean()),
  /** Processes of Linux in the order of a tree. */
  tree: v.optional(v.boolean()),
});
export type QueryArguments = Readonly<v.InferOutput<typeof queryArguments>>;

/** A question. */
export const query = v.strictObject({ table: tableName, args: queryArguments });
export type Query = Readonly<v.InferOutput<typeof query>>;

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
    ...{ table: "vm.ls", at: { ns: "0", insn: "0" }, rows: [], dropped: 0 },
    ...{ error: problemText(problem), problem: { code: "session", ...problem } },
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
