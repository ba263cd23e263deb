// `el2 mark`: a name for a place of the run of a session.

import type { Command } from "@commander-js/extra-typings";
import { answer } from "../../common/answer.ts";
import type { CommandContext } from "../../common/command.ts";
import { checkAnswered, ExitCode, failed, Failure } from "../../common/failure.ts";
import { type ListOptions, withListOptions } from "../../common/list-options.ts";
import { printAnswer, report } from "../../common/print.ts";
import { openSession, withSessionOptions } from "../../common/session.ts";
import { MARK_NAME } from "../../../../model/queries/fields.ts";
import type { Query } from "../../../../model/queries/query.ts";
import { PLACES } from "../../../../model/queries/tables.ts";

/** The marks of a session's run. */
export const MARKS: Query = { table: PLACES.name, args: { filter: "kind=mark" } };

export function registerMark(program: Command, { exit }: CommandContext): void {
  withListOptions(withSessionOptions(
    program.command("mark").description(
      "name the point of a session's run that is shown, for el2 back --mark; recordings keep the names; without a name: list the marks",
    ),
  ))
    .argument("[name]", "letters, digits, - _ and .; a mark with this name moves here")
    .addHelpText(
      "after",
      `
Examples:
  el2 mark before-the-reset
  el2 mark
  el2 back --mark before-the-reset`,
    )
    .action(async (name, options) => exit(await mark(name, options)));
}

async function mark(name: string | undefined, options: ListOptions & { session?: string; json?: boolean }): Promise<number> {
  if (name !== undefined && !MARK_NAME.test(name)) {
    throw new Failure(`"${name}" cannot name a mark`, "begin with a letter or digit, and use up to 64 letters, digits, - _ and .");
  }
  using open = await openSession(options);
  if (name === undefined) {
    await answer(open, MARKS, options.json ?? false, { list: options, none: "no marks" });
    return ExitCode.Done;
  }
  const problem = await open.asker.mark(name);
  if (problem) throw failed(problem);
  if (!options.json) {
    report(`el2: marked; el2 back --mark ${name} goes there`);
    return ExitCode.Done;
  }
  const marks = await open.asker.ask(MARKS);
  checkAnswered(marks);
  // A filter would take a name with two dots for a range, and ignores the case of letters.
  printAnswer(open.session.info.name, { ...marks, rows: marks.rows.filter((row) => row.name === name) }, true);
  return ExitCode.Done;
}
