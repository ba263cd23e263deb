// `el2 mark`: a name for a place of the run of a session.

import { runner } from "../../common/argv.ts";
import { checkAnswered, ExitCode } from "../../common/failure.ts";
import { printAnswer } from "../../common/print.ts";
import { perform, runCommand } from "../../common/run-command.ts";
import { openSession } from "../../common/session.ts";
import { MARK } from "../../../../model/commands/time.ts";

export const runMark = runner(MARK, {
  async run(values, options) {
    const { name } = values;
    if (name === undefined || !options.json) return await runCommand(MARK, values, options);
    using open = await openSession(options);
    for (const step of MARK.steps?.(values) ?? []) await perform(open, step, options);
    const marks = await open.asker.ask({ table: "time.ls", args: { filter: "kind=mark" } });
    checkAnswered(marks);
    // A filter would take a name with two dots for a range, and ignores the case of letters.
    printAnswer(open.session.info.name, { ...marks, rows: marks.rows.filter((row) => row.name === name.name) }, true);
    return ExitCode.Done;
  },
});
