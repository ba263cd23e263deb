// What a session answers to a query, printed.

import { ExitCode, Failure } from "./failure.ts";
import { output, printAnswer, recordText } from "./print.ts";
import type { openSession } from "./session.ts";
import type { Query } from "../workstation/inspect/query.ts";
import { TABLES } from "../workstation/inspect/tables.ts";

/** Asks and prints. Gives the number of rows. @throws Failure when the query is wrong */
export async function answer(
  { asker, session }: Awaited<ReturnType<typeof openSession>>,
  query: Query,
  json: boolean,
  record = false,
): Promise<number> {
  const got = await asker.ask(query);
  if (got.error !== undefined) throw new Failure(got.error, got.error.startsWith("--filter") ? ExitCode.Usage : ExitCode.Failed);
  if (record && !json) output(got.rows.map((row) => recordText(TABLES[query.table], row)).join("\n"));
  else printAnswer(session.info.name, got, json);
  return got.rows.length;
}
