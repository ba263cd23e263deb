// Prints a session's answer to a query.

import { checkAnswered, checkRead, ExitCode } from "./failure.ts";
import { asList, checkColumns, type ListOptions, watching } from "./list-options.ts";
import { fieldsText, nothingPasses, output, printAnswer, reportGaps } from "./print.ts";
import { Progress } from "./progress.ts";
import { checkVm, type OpenSession } from "./session.ts";
import type { Answer, Query } from "../../../model/queries/query.ts";
import type { Row } from "../../../model/queries/table.ts";
import { TABLES, WHO as ACCESSES } from "../../../model/queries/tables.ts";

/** How an answer is printed. */
interface AnswerOptions {
  /** Each row in full, not as a list. */
  readonly full?: boolean;
  /** The text of a row, instead of a list. */
  readonly text?: (row: Row) => string;
  /** Text for an answer without rows. */
  readonly none?: string;
  /** The VM that the rows are of. */
  readonly vm?: string;
  /** Which columns, how, and whether again and again. */
  readonly list?: ListOptions;
}

/**
 * Asks and prints; with `list.watch`, until it is interrupted. Returns the number of rows.
 * @throws Failure for an invalid query or an unknown VM
 */
export async function answer(open: OpenSession, query: Query, json: boolean, options: AnswerOptions = {}): Promise<number> {
  if (options.list) checkColumns(TABLES[query.table], options.list);
  return await watching(options.list ?? {}, json, () => answerOnce(open, query, json, options));
}

/** The answer; a search of the run shows its progress, and Ctrl-C ends it. */
async function asked({ asker }: OpenSession, query: Query): Promise<Answer> {
  if (query.table !== ACCESSES.name) return await asker.ask(query);
  using progress = new Progress("searching the run", "instructions");
  return await progress.during(asker.ask(query, { progress: (done, all) => progress.at(done, all) }));
}

async function answerOnce(open: OpenSession, query: Query, json: boolean, options: AnswerOptions): Promise<number> {
  const { full = false, text, none = nothingPasses(query.args.filter), vm, list } = options;
  const got = await asked(open, query);
  checkAnswered(got, got.problem?.code === "filter" ? ExitCode.Usage : ExitCode.Failed);
  checkRead(got);
  if (!got.rows.length && vm !== undefined) await checkVm(open, vm);
  const write = text ?? (full ? (row: Row) => fieldsText(TABLES[query.table], row) : undefined);
  if (write && (full || got.rows.length) && !json && !asList(list ?? {})) {
    output(got.rows.map(write).join(full ? "\n" : ""));
    reportGaps(got);
  } else printAnswer(open.session.info.name, got, json, none, list);
  return got.rows.length;
}
