// `el2 record FILE`: the run of a session until now, with everything that has entered it.

import type { Command } from "@commander-js/extra-typings";
import { resolve } from "node:path";
import { type CommandContext, examplesText } from "../../common/command.ts";
import { ExitCode, Failure, unsaved } from "../../common/failure.ts";
import { checkNamedFile } from "../../common/named-file.ts";
import { report } from "../../common/print.ts";
import { openSession, sessionOption } from "../../common/session.ts";
import { type Hint, hint, hintText } from "../../../../kit/support/text/hint.ts";
import { way } from "../../../../kit/support/text/way-out.ts";

export function registerRecord(program: Command, { exit }: CommandContext): void {
  program.command("record")
    .description("save the run of a session so far as a recording; run and boot have --record")
    .argument("<file>", "recording to write")
    .addOption(sessionOption)
    .addHelpText("after", examplesText(["record bug.rec", "record bug.rec --session phone", "replay bug.rec --verify"]))
    .allowExcessArguments()
    .action(async (file, { session }, { args: [, ...what] }) => {
      if (what.length > 0) throw new Failure("record: it saves the run of a session, and runs nothing", way`use ${runOf(what, file)}`);
      exit(await saveRun(file, session));
    });
}

/** The command that runs what was named, and records it. */
function runOf([first, ...rest]: readonly string[], file: string): Hint {
  if (first === "run" || first === "boot") return hint(first, ...rest, { record: file });
  if (first === "snapshot") return hint("snapshot load", ...rest.slice(1), { record: file });
  return hint("run", first, ...rest, { record: file });
}

/** Writes the run of a session until now to a file. */
async function saveRun(file: string, session: string | undefined): Promise<number> {
  using open = await openSession({ session });
  checkNamedFile(file, "record", { onlyFile: true });
  const error = await open.asker.saveRecording(resolve(file));
  if (error !== undefined) throw unsaved(`record ${file}`, error);
  report(`el2: ${file}: the run so far; ${hintText(hint("replay", file))} repeats it`);
  return ExitCode.Done;
}
