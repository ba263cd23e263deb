// `el2 record F -- WHAT`: a run with everything that enters it.

import type { Command } from "@commander-js/extra-typings";
import { resolve } from "node:path";
import { isSealed } from "../../../../session/recordings/file/recording-reader.ts";
import type { CommandContext } from "../../common/command.ts";
import { ExitCode, failed, Failure, unsaved } from "../../common/failure.ts";
import { checkNamedFile } from "../../common/named-file.ts";
import { report } from "../../common/print.ts";
import { openSession, sessionOption } from "../../common/session.ts";
import { unlessGone } from "../../../../kit/support/files/cache.ts";
import { hint, hintText } from "../../../../kit/support/text/hint.ts";

export function registerRecord(program: Command, { exit, run }: CommandContext): void {
  program.command("record")
    .description("run WHAT and record its inputs (as run --record and boot --record do); without WHAT, save the run of a session so far")
    .argument("<file>", "recording to write")
    .argument("[what...]", "after --: the arguments of el2 run, or a whole command: boot IMAGE …, snapshot load FILE …")
    .addOption(sessionOption)
    .addHelpText(
      "after",
      `
Examples:
  el2 record bug.rec -- phone.toml --for 10s
  el2 record bug.rec -- boot Image --initrd initrd --stdio
  el2 record bug.rec -- snapshot load before.snap --stdio
  el2 record bug.rec --session phone
  el2 replay bug.rec --verify`,
    )
    .action(async (file, what, { session }) => {
      if (what.length === 0) return exit(await saveRun(file, session));
      if (session !== undefined) {
        throw new Failure("record: --session and WHAT are mutually exclusive: --session saves the run of a session", "give one");
      }
      const command = ["run", "boot", "snapshot"].includes(what[0]) ? what : ["run", ...what];
      const before = unlessGone(() => Deno.statSync(file).ino);
      await run([...command, "--record", file]);
      if (!isRecorded(file, before)) throw failed(`record: ${file} is not complete, and cannot be replayed`);
      report(`el2: recorded ${file}; ${hintText(hint("replay", file))} repeats the run`);
    });
}

/**
 * Whether a file has a whole recording now.
 * @param before the inode of an older file, which stays where there is none
 */
function isRecorded(file: string, before: number | null | undefined): boolean {
  const info = unlessGone(() => Deno.statSync(file));
  // What goes through a pipe is its reader's.
  return info !== undefined && (!info.isFile || info.ino !== before && isSealed(file));
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
