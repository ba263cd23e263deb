// Arguments of commands that list rows, and the query that they narrow.

import { maybe, option, word } from "./argument.ts";
import { command, type Printed } from "./command.ts";
import { filterOf, idOf, whole } from "./kinds.ts";
import { isExactly } from "../queries/filters/filter.ts";
import { withoutKind } from "../queries/ids.ts";
import { type Query, readQuery } from "../queries/query.ts";
import type { AnyArguments } from "../queries/query-arguments.ts";
import { type TableName, TABLES } from "../queries/tables.ts";
import { allOfEvents } from "../queries/filters/temporal-filter.ts";

/** Filter and limit, for the rows of a table. */
export const listArguments = (table: TableName) => ({
  filter: option(filterOf(TABLES[table]), "only matching rows, such as state=blocked or size>1M", { common: true }),
  limit: option(whole(1, 1_000_000), "at most this many rows", { value: "rows", common: true }),
});

/** A VM that has to be named. */
export const VM = word(idOf("vm"), "vm:NAME or NAME");
/** A VM whose rows are listed, instead of all. */
export const ONE_VM = maybe(idOf("vm"), "only rows of this VM");
export const VCPU = word(idOf("vcpu"), "vcpu:VM/INDEX or VM/INDEX");

/** A query with another filter, beside its own, and the limit that a list was given. */
export function narrowed({ table, args }: Query, { filter, limit }: { readonly filter?: unknown; readonly limit?: unknown }): Query {
  const both = allOfEvents([args.filter, typeof filter === "string" ? filter : undefined]);
  return asked(table, { ...args, filter: both || undefined, limit: typeof limit === "number" ? limit : args.limit });
}

/** A query of a table that only its entry names. */
export function asked(table: TableName, args: AnyArguments): Query {
  const query = readQuery(table, args);
  if ("issue" in query) throw new Error(`${table}: ${query.issue}`);
  return query;
}

/** The parts of a list's entry that are its own. */
interface ListEntry {
  readonly doc: string;
  readonly table: TableName;
  readonly examples: readonly string[];
  readonly printed?: Printed;
  readonly ofGunyah?: string;
}

/** A list of all rows of a table, or of those of one VM. */
export function listOfVm(name: string, { doc, table, examples, printed = {}, ofGunyah }: ListEntry) {
  return command(name, {
    doc,
    args: { vm: ONE_VM, ...listArguments(table) },
    right: "looks",
    ...ofGunyah !== undefined && { ofGunyah },
    examples,
    lists: true,
    ask: ({ vm }) => asked(table, vm === undefined ? {} : { filter: isExactly("vm", withoutKind("vm", vm)) }),
    printed: () => ({ ...printed, ofVm: "vm" }),
  });
}

/** A list of the rows of a table that a filter of its own lets through. */
export function listOfTable(name: string, { doc, table, examples, printed, ofGunyah }: ListEntry, filter?: string) {
  return command(name, {
    doc,
    args: listArguments(table),
    right: "looks",
    ...ofGunyah !== undefined && { ofGunyah },
    examples,
    lists: true,
    ask: () => asked(table, { filter }),
    printed: () => printed ?? {},
  });
}
