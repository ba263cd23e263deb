// Runs a command of a session: its steps, then its question, whose answer it prints.

import { answer } from "./answer.ts";
import type { NamedCore } from "./core-session.ts";
import { checkAnswered, ExitCode, failed, Failure } from "./failure.ts";
import type { ListOptions } from "./list-options.ts";
import { goTo, setPaused } from "./moves.ts";
import { output, report, RowStream } from "./print.ts";
import { type OpenSession, openSession } from "./session.ts";
import { actOn } from "../../../model/commands/actions.ts";
import type { Arguments, ValuesOf } from "../../../model/commands/argument.ts";
import type { Command, Followed, Printed, Step } from "../../../model/commands/command.ts";
import { narrowed } from "../../../model/commands/lists.ts";
import { doneText } from "../../../model/commands/words.ts";
import type { Query } from "../../../model/queries/query.ts";
import type { Row } from "../../../model/queries/table.ts";
import { TABLES } from "../../../model/queries/tables.ts";
import { hint, hintText } from "../../../kit/support/text/hint.ts";

/** Options of all commands of a session, and those of lists. */
export interface RunOptions extends ListOptions {
  readonly json?: boolean;
  readonly session?: string;
  readonly core?: NamedCore;
  readonly readOnly?: boolean;
  readonly follow?: boolean;
}

/** Runs a command with its values, and returns the exit code. */
export async function runCommand(one: Command, values: ValuesOf<Arguments>, options: RunOptions): Promise<number> {
  const steps = one.steps?.(values) ?? [], asked = one.ask?.(values);
  const query = asked && narrowed(asked, values);
  using open = await openSession(options);
  for (const step of steps) await perform(open, step, options, values);
  const code = query ? await print(open, query, values, one.printed?.(values) ?? {}, options) : ExitCode.Done;
  if (steps.length && one.done && !options.json) report(`el2: ${doneText(one, values)}`);
  return code;
}

/**
 * Has the session do a step.
 * @throws Failure if it refuses
 */
export async function perform(open: OpenSession, step: Step, options: RunOptions, values: ValuesOf<Arguments> = {}): Promise<void> {
  const { asker, session } = open;
  switch (step.kind) {
    case "act":
      return refused(await actOn(asker, step.action));
    case "stop-rule":
      return refused(await asker.stopRule(step.change));
    case "mark": {
      const { kind: _, ...note } = step;
      return refused(await asker.mark(note));
    }
    case "move":
      return await goTo(open, step.to, { ...options, timeout: values.timeout as number | undefined });
    case "pause":
    case "resume":
      return await setPaused(open, step.kind === "pause", options);
    case "trace":
      return refused(await asker.trace(step.kinds));
    case "input":
      return session.send(step);
  }
}

/**
 * The session has done it, unless there is a problem.
 * @throws Failure
 */
export function refused(problem: Parameters<typeof failed>[0] | undefined): void {
  if (problem !== undefined) throw failed(problem);
}

async function print(open: OpenSession, query: Query, values: ValuesOf<Arguments>, printed: Printed, options: RunOptions): Promise<number> {
  const { text, full, follows, fails, list = "ls" } = printed;
  const none = values.filter === undefined ? printed.none : undefined;
  const vm = printed.ofVm === undefined ? undefined : values[printed.ofVm] as string | undefined;
  if (options.follow && follows !== undefined) return await follow(open, query, follows, text, options);
  const rows = await answer(open, query, options.json ?? false, { full, text, none, vm, list: options });
  if (rows === 0 && fails === "none") {
    const named = Object.values(values).find((one) => typeof one === "string");
    throw failed(`no object called "${named}"`, `list them with ${hintText(hint(list))}`);
  }
  return rows > 0 && fails === "rows" ? ExitCode.Failed : ExitCode.Done;
}

/** Time (ms) between two questions that follow. */
const FOLLOWED = 200;

const pause = () => new Promise((resolve) => setTimeout(resolve, FOLLOWED));

/**
 * The rows after the last one that was printed; undefined if they have begun again.
 * @param rows from that one on
 */
export function rowsAfter(rows: readonly Row[], last: Row, { column, time }: Followed): readonly Row[] | undefined {
  const [first] = rows;
  if (!first) return undefined;
  // The last one may have been dropped meanwhile.
  if (first[column] !== last[column]) return rows;
  return first[time] === last[time] ? rows.slice(1) : undefined;
}

/** Prints rows, and then those after them in a column, until it is interrupted. */
async function follow(
  { asker, session }: OpenSession,
  query: Query,
  followed: Followed,
  text: Printed["text"],
  options: RunOptions,
): Promise<number> {
  if (options.watch) throw new Failure("--follow prints new rows, --watch all of them every second", "give one");
  const json = options.json ?? false, isText = text !== undefined && !json && options.output === undefined;
  const stream = isText ? undefined : new RowStream(TABLES[query.table], options, json);
  let last: Row | undefined;
  for (;; await pause()) {
    const from = last && `${followed.column}>${Number(last[followed.column]) - 1}`;
    const found = await asker.ask(narrowed(query, { filter: from }));
    checkAnswered(found);
    const fresh = last ? rowsAfter(found.rows, last, followed) : found.rows;
    if (!fresh) {
      last = undefined;
      continue;
    }
    if (new Set(found.rows.map((row) => row.vm)).size > 1) throw new Failure("several VMs have such rows", "name one to follow");
    for (const row of fresh) {
      if (stream) stream.print(session.info.name, found, row);
      else if (text) output(text(row));
    }
    last = fresh.at(-1) ?? last;
  }
}
