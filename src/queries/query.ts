// A question about a session's machine, and its answer: plain data, the same in process and over a
// socket.

import type { Row } from "./table.ts";
import type { TableName } from "./tables.ts";

/** What a query may say beside the table. */
export interface QueryArguments {
  /** Only rows that this filter lets through. */
  readonly filter?: string;
  /** At most so many rows; for what happened, the newest. */
  readonly limit?: number;
  /** Only what has happened since an answer with this `cursor`. */
  readonly after?: string;
  /** Only events that ended at this virtual time (ns) or later. */
  readonly since?: number;
  /** Kinds of events, with commas. */
  readonly kinds?: string;
  /** `vm:NAME`. */
  readonly vm?: string;
  /** `vcpu:VM/INDEX`. */
  readonly vcpu?: string;
  /** `mq:NUMBER`. */
  readonly queue?: string;
  /** `pa:ADDRESS` or `ipa:VM/ADDRESS`; of code `VM:ADDRESS`, `VM:SYMBOL` or `VM/INDEX:pc`. */
  readonly at?: string;
  /** Bytes, or instructions. */
  readonly size?: number;
}

/** A question. */
export interface Query {
  readonly table: TableName;
  readonly args: QueryArguments;
}

/** How often a question is answered again, each time with a sample. */
export interface Repeat {
  readonly times: number;
  /** At least so long (wall ms) after the answer before. */
  readonly every: number;
  /**
   * Of what happens, each answer but the first has only what is behind the `cursor` of the one
   * before, which it names.
   */
  readonly onward?: boolean;
}

/** The answer of a machine that is not there (any more). */
export function noAnswer(error: string): Answer {
  return { table: "vm.ls", at: { ns: "0", insn: "0" }, rows: [], dropped: 0, error };
}

/** The answer. */
export interface Answer {
  readonly table: TableName;
  /** When the rows were true: virtual time in ns, and instructions retired; decimal. */
  readonly at: { readonly ns: string; readonly insn: string };
  readonly rows: readonly Row[];
  /** Rows that were lost before they could be read. */
  readonly dropped: number;
  /** For what happens: where to go on. */
  readonly cursor?: string;
  /** The rows are only those behind this cursor, as the query said. */
  readonly after?: string;
  /** What the query named that does not exist, or what is wrong with it. */
  readonly error?: string;
}
