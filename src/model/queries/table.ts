// A kind of row: its columns, once, for screens, commands, JSON, schemas and filters
// (docs/design/workstation.md §2, "JSON").

import type { Facts } from "./facts/fact.ts";
import type { TakenArguments } from "./query-arguments.ts";

/**
 * A value as JSON has it.
 *
 * ```ts
 * import type { Json } from "@el2/el2";
 *
 * const filter: Json = { filter: "state=running", limit: 10 };
 * console.log(JSON.stringify(filter));
 * ```
 */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

/**
 * Kind of a column's values.
 *
 * - `id`: an object id (`vm:rt`); `word`: one of a specification's names in lower case or a
 *   screen's word; `text`: anything
 * - `number`, `rate`: a number; `size`: bytes; `share`: 0 to 1
 * - `count`, `time`, `duration`: 64 bits as a decimal string; times in ns
 * - `address`: `0x..`, also registers and capability ids
 * - `flag`: yes or no; `list`: several words or ids
 * - `detail`: structured; in JSON and in the inspector, not in lists
 */
export interface ColumnTypes {
  id: string;
  word: string;
  text: string;
  number: number;
  rate: number;
  size: number;
  share: number;
  count: string;
  time: string;
  duration: string;
  address: string;
  flag: boolean;
  list: readonly string[];
  detail: Json;
}

export type ColumnKind = keyof ColumnTypes;

export interface Column {
  readonly kind: ColumnKind;
  /** Its description, for schema and help. */
  readonly doc: string;
  /** Heading, if it is not the name. */
  readonly title?: string;
  /** Terminal columns that it takes in lists; absent: not in lists. */
  readonly width?: number;
  /** Lists narrower than this many terminal columns leave it out. */
  readonly from?: number;
  /** From this value on it is over a threshold, and marked. */
  readonly alarm?: number;
  /** null if it does not apply to the row. */
  readonly optional?: true;
  /** Its value in most lists: while every row has it, lists for display omit the column. */
  readonly usual?: Json;
  /** All that a `word` may be: filters refuse others. */
  readonly words?: readonly string[];
  /** Words that lists and screens have for values; JSON and TSV keep the value. */
  readonly shown?: Readonly<Record<string, string>>;
  /** Name of the column with its unit: lists show bytes as a size. */
  readonly unit?: string;
  /** More names for it in filters. */
  readonly alias?: readonly string[];
  /** Of a `detail`: it holds a fact of these. */
  readonly fact?: object;
  /** Of a `detail`: it holds a list of these. */
  readonly facts?: object;
  /** Of a `detail`: its lines where a row is shown field by field. */
  readonly lines?: (value: Json) => readonly string[];
}

/** A list's columns. */
export interface Listing {
  /** Its name: the query's, and in the schema `el2.NAME/VERSION`. */
  readonly name: string;
  /** The text of an empty list. */
  readonly empty: string;
  readonly columns: Readonly<Record<string, Column>>;
}

/** A kind of row. */
export interface Table extends Listing {
  /** Increases when a field is removed or changed, not when one is added. */
  readonly version: number;
  readonly doc: string;
  /** Each row is another search of the run: only as many are asked for as are wanted. */
  readonly searches?: true;
  /** Arguments of its queries, beside a filter and a limit. */
  readonly args?: TakenArguments;
  readonly columns: Readonly<Record<string, Column>> & { readonly id: Column };
}

/** Columns in which every row has the usual value. */
export function usualColumns({ columns }: Listing, rows: readonly ListRow[]): ReadonlySet<string> {
  const isUsual = ([name, { usual }]: [string, Column]) => usual !== undefined && rows.every((row) => row[name] === usual);
  return new Set(Object.entries(columns).filter(isUsual).map(([name]) => name));
}

/** The texts of a `list`; none of any other value. */
export function textsOf(value: Json | undefined): readonly string[] {
  return Array.isArray(value) ? value.filter((one): one is string => typeof one === "string") : [];
}

/** The members of an object in a `detail`; none of any other value. */
export function membersOf(value: Json | undefined): { readonly [name: string]: Json | undefined } {
  return isMembers(value) ? value : {};
}

const isMembers = (value: Json | undefined): value is { readonly [name: string]: Json } =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** A row of any list: plain data. */
export type ListRow = Readonly<Record<string, Json>>;

/** A column's values other than null. */
type Held<C extends Column> = C extends { readonly words: readonly (infer W extends string)[] } ? W
  : C extends { readonly fact: Facts<infer F> } ? F
  : C extends { readonly facts: Facts<infer F> } ? readonly F[]
  : ColumnTypes[C["kind"]];

/** A row of a table: plain data, in JSON's form already. */
export type RowOf<T extends Table> =
  & { readonly id: string }
  & {
    readonly [N in keyof T["columns"]]: T["columns"][N] extends { readonly optional: true } ? Held<T["columns"][N]> | null
      : Held<T["columns"][N]>;
  };

/** A row with its table. */
export interface Selected<T extends Table = Table> {
  readonly table: T;
  readonly row: RowOf<T>;
}

/**
 * A row whose table is known at run time only: its `id`, and its other columns as
 * docs/reference/json.md has them.
 *
 * ```ts
 * import { openRecording, type Row } from "@el2/el2";
 *
 * await using recording = await openRecording(await Deno.readFile("bug.rec"));
 * const [vm]: readonly Row[] = (await recording.query("vm.ls")).rows;
 * console.log(vm.id, vm.state);
 * ```
 */
export type Row = { readonly id: string } & Readonly<Record<string, Json>>;

/** Declares a table. */
export function defineTable<const T extends Table>(table: T): T {
  return table;
}

/** `el2.mem.parcels/1`. */
export function schemaName({ name, version }: Pick<Table, "name" | "version">): string {
  return `el2.${name}/${version}`;
}

/** Whether its rows are events in their order: queries may ask for those after others. */
export function isStream({ args }: Table): boolean {
  return args?.after !== undefined;
}

/** Whether a value of a column is over its threshold. */
export function isAlarm({ alarm }: Column, value: Json | undefined): boolean {
  return alarm !== undefined && typeof value === "number" && value >= alarm;
}

/** The JSON Schema that schemas are written in. */
export const SCHEMA_DIALECT = "https://json-schema.org/draft/2020-12/schema";

/** JSON Schema of the gaps between rows. */
const UNRECORDED: Json = {
  type: "array",
  description: "spans of virtual time before the rows, or between them, in which events were not recorded; absent: none",
  items: {
    type: "object",
    required: ["from", "to", "kind", "some"],
    properties: {
      from: { type: "string", pattern: "^[0-9]+$" },
      to: { type: "string", pattern: "^[0-9]+$" },
      kind: { type: "string", description: "the kind of events" },
      some: { type: "boolean", description: "some of its events were recorded" },
    },
  },
};

/** JSON Schema of a table's rows. */
export function jsonSchema(table: Table): Json {
  const properties: Record<string, Json> = {};
  for (const [name, column] of Object.entries(table.columns)) properties[name] = columnSchema(column);
  return {
    $schema: SCHEMA_DIALECT,
    title: schemaName(table),
    description: table.doc,
    type: "object",
    required: ["schema", "session", "at", "data", "dropped"],
    properties: {
      schema: { const: schemaName(table) },
      session: { type: "string", description: "name of the session" },
      at: {
        type: "object",
        description: "when the rows were true: virtual time, and instructions that guests had retired",
        required: ["ns", "insn"],
        properties: { ns: { type: "string", pattern: "^[0-9]+$" }, insn: { type: "string", pattern: "^[0-9]+$" } },
      },
      data: { type: "array", items: { type: "object", required: Object.keys(table.columns), properties } },
      dropped: { type: "integer", description: "rows that were lost before they could be read" },
      gaps: { type: "array", description: "what the rows lack, as a guest's memory does not let it be read; absent: nothing" },
      ...isStream(table) && { unrecorded: UNRECORDED },
    },
  };
}

/** JSON Schema of what a column holds. */
export function columnSchema(column: Column): Json {
  const described = { description: column.doc };
  const type = (name: string): Json => column.optional ? [name, "null"] : name;
  switch (column.kind) {
    case "number":
    case "rate":
    case "size":
    case "share":
      return { type: type("number"), ...described };
    case "count":
    case "time":
    case "duration":
      return { type: type("string"), pattern: "^[0-9]+$", ...described };
    case "address":
      return { type: type("string"), pattern: "^0x[0-9a-f]+$", ...described };
    case "flag":
      return { type: type("boolean"), ...described };
    case "list":
      return { type: type("array"), items: { type: "string" }, ...described };
    case "detail":
      return described;
    default:
      return { type: type("string"), ...described };
  }
}
