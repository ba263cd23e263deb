// The demo as a system in the test's own thread, run to a virtual time.

import { assemble } from "../../../src/session/assembly/assemble.ts";
import { planDemo, planText } from "../../../src/app/configuration/plan-run.ts";
import type { GuestSystem } from "../../../src/session/assembly/system/guest-system.ts";
import { type Query, readQuery } from "../../../src/model/queries/query.ts";
import type { AnyArguments } from "../../../src/model/queries/query-arguments.ts";
import type { RowOf } from "../../../src/model/queries/table.ts";
import type { TableName, TABLES } from "../../../src/model/queries/tables.ts";
import { assertPlanned } from "../../support/planned.ts";

/**
 * Assembles the demo, or a configuration whose files are in `folder`; with rules of faults from the
 * start.
 */
export async function demoSystem(
  configuration?: string,
  inject?: readonly string[],
  folder = "assets/guests",
): Promise<GuestSystem> {
  const result = configuration === undefined ? await planDemo() : await planText(configuration, undefined, folder);
  assertPlanned(result);
  const system = assemble({ ...result.run, turbo: true, inject: inject && [...inject] });
  return system as GuestSystem;
}

/** Runs to a virtual time (ns), or to the end. */
export function runUntil(system: GuestSystem, until: number): void {
  const { machine } = system;
  while (machine.time < until && !system.ended()) {
    const result = machine.run(until);
    if (result.kind === "idle") machine.skipTo(Math.min(result.next, until));
  }
}

/** A query of any table, which is right. */
export function rightQuery(table: TableName, args: AnyArguments): Query {
  const query = readQuery(table, args);
  if ("issue" in query) throw new Error(`${table}: ${query.issue}`);
  return query;
}

/** The rows of a query that is right. */
export function rows<N extends TableName>(system: GuestSystem, table: N, args: AnyArguments = {}): RowOf<typeof TABLES[N]>[] {
  const answer = system.inspector.answer(rightQuery(table, args));
  if (answer.error !== undefined) throw new Error(answer.error);
  return answer.rows as unknown as RowOf<typeof TABLES[N]>[];
}
