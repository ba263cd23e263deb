// `el2 pause`: stops virtual time.

import type { Command } from "@commander-js/extra-typings";
import { answer } from "../../common/answer.ts";
import type { CommandContext } from "../../common/command.ts";
import { ExitCode, failed } from "../../common/failure.ts";
import { report } from "../../common/print.ts";
import { openSession, withSessionOptions } from "../../common/session.ts";
import { timeText } from "../../../../kit/support/text/number-text.ts";
import { endProblem, hasEnded } from "../../../../model/queries/facts/problem.ts";

export function registerPause(program: Command, { exit }: CommandContext): void {
  withSessionOptions(program.command("pause").description("pause a session's machine and its virtual time; changes the machine"))
    .addHelpText("after", "\nExamples:\n  el2 pause && el2 vcpu ls && el2 resume")
    .action(async (options) => exit(await setPaused(options, true)));
}

/** Pauses the machine of a session or resumes it, and says where it is. */
export async function setPaused(options: { session?: string; readOnly?: boolean; json?: boolean }, paused: boolean): Promise<number> {
  using open = await openSession(options);
  const { session } = open;
  if (session.info.ended !== undefined) throw failed(hasEnded(session.info.ended));
  const done = session.info.paused === paused
    ? undefined
    : open.next((event) => event.kind === "ended" || event.kind === "paused" && event.paused === paused ? event : undefined);
  // Sent even without a change of state, so that a read-only client is refused.
  session.send({ kind: paused ? "pause" : "resume" });
  const event = await done;
  if (event?.kind === "ended") throw failed(hasEnded(endProblem(event.end)));
  if (options.json) {
    await answer(open, { table: "vcpu.ls", args: {} }, true);
    return ExitCode.Done;
  }
  const { at } = await open.asker.ask({ table: "vm.ls", args: { limit: 1 } });
  report(`el2: ${paused ? "paused" : "running"} at t=${timeText(Number(at.ns))}, ${at.insn} instructions`);
  return ExitCode.Done;
}
