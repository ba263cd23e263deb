// Answers queries about a dump, in the form in which a machine's are answered. Questions that need
// a machine are refused by name.

import { LINUX_TABLES, type LinuxTables } from "../../../model/queries/linux-tables.ts";
import { type Answer, isAboutPast, type Query, type QueryOf, type TableArguments } from "../../../model/queries/query.ts";
import type { TableName } from "../../../model/queries/tables.ts";
import { hint } from "../../../kit/support/text/hint.ts";
import { way } from "../../../kit/support/text/way-out.ts";
import type { Problem } from "../../../kit/support/problem.ts";
import { answered, Filters, type FoundRows } from "../answered.ts";
import { QueryError } from "../readers/inspected.ts";
import { whole } from "../../../kit/support/values/work.ts";
import { DumpError } from "../../../inside/dumps/file-memory.ts";
import { TooMuch } from "../../../inside/linux/kernel/memory.ts";
import { checkVm, DUMP_READERS, readKernel } from "./dump-readers.ts";
import type { DumpSystem } from "./dump-system.ts";

/** There is one instant, of which the time is not known. */
const AT: Answer["at"] = { ns: "0", insn: "0" };

/** Why something cannot be done with a dump. */
export const withoutMachine = (what: string): Problem => ({
  what: `${what} needs a machine, and this session is a dump, which has memory and registers alone`,
  wayOut: way`it answers ${hint("diagnose")}, ${hint("linux log")}, ${hint("mem map")} and the like`,
});

export class DumpInspector {
  readonly #filters = new Filters();

  constructor(readonly system: DumpSystem) {}

  /** Adds symbols for the dump's VM. @throws Error that names what is wrong */
  give(vm: string, file: Uint8Array): void {
    checkVm(vm);
    this.system.give(file, "symbols");
  }

  /** The answer to a query; an `error` if it names what does not exist. */
  answer(query: Query): Answer {
    return whole(answered(query, AT, () => {
      this.system.renew();
      const filter = this.#filters.of(query.table, query.args.filter ?? ""), found = read(query, this.system);
      const rows = found.rows.filter((row) => filter.matches(row));
      return { ...found, rows: rows.slice(0, query.args.limit ?? Infinity) };
    }));
  }
}

const isOfLinux = (query: Query): query is QueryOf<keyof LinuxTables> => query.table in LINUX_TABLES;

/** @throws QueryError */
function read(query: Query, system: DumpSystem): FoundRows {
  if (isAboutPast(query)) throw new QueryError(withoutMachine("a question about the past"));
  try {
    return isOfLinux(query) ? readKernel(system, query.table, query.args) : rowsOf(query, system);
  } catch (error) {
    if (error instanceof TooMuch) {
      throw new QueryError(`${query.table}: more of the dump would have to be read than a kernel's structures need`);
    }
    if (error instanceof DumpError) throw new QueryError(error.problem);
    throw error;
  }
}

/** @throws QueryError, and the errors of reading a stranger's file */
function rowsOf<N extends TableName>(
  { table, args }: { readonly table: N; readonly args: TableArguments<N> },
  system: DumpSystem,
): FoundRows {
  const reader = DUMP_READERS[table];
  if (!reader) throw new QueryError(withoutMachine(table.replace(".", " ")));
  return reader(system, args);
}
