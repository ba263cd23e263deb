// `el2 down`: ends a session.

import type { Command } from "@commander-js/extra-typings";
import { type CommandContext, examplesText } from "../common/command.ts";
import { ExitCode, failed, Failure } from "../common/failure.ts";
import { report } from "../common/print.ts";
import { chosenSession, openSession } from "../common/session.ts";
import { socketPath } from "../../control/places.ts";
import { ownerOf, removeAbandoned, removeLeftovers } from "../../control/ownership.ts";
import { lstatIfThere } from "../../support/own-files.ts";
import { answers } from "../../control/remote.ts";

/** How long `down` waits for the session to end, ms. */
const END_TIME = 5_000;

export function registerDown(program: Command, { exit }: CommandContext): void {
  program.command("down")
    .description("end a session, with its VMs and its process")
    .argument("[session]", "its name, or the path of its socket")
    .option("--force", "remove the socket of a session that does not answer")
    .addHelpText("after", examplesText(["down", "down phone", "down phone --force"]))
    .action(async (session, options) => exit(await down(session, options.force ?? false)));
}

async function down(named: string | undefined, force: boolean): Promise<number> {
  let path: string, pid: number;
  try {
    using open = await openSession({ session: named, naming: "el2 down NAME" });
    const { session } = open;
    pid = session.info.pid;
    path = socketPath(named ?? chosenSession() ?? session.info.name);
    const gone = Promise.withResolvers<void>();
    session.onGone = () => gone.resolve();
    session.down();
    const late = setTimeout(() => gone.resolve(), END_TIME);
    await gone.promise;
    clearTimeout(late);
  } catch (error) {
    if (!(error instanceof Failure) || named === undefined) throw error;
    path = socketPath(named);
    // A process that lives, even one that does not answer, is ended by name alone.
    const isKilled = lstatIfThere(path) !== undefined && !ownerOf(path);
    if (!force && !isKilled) throw error;
    const owner = await removeAbandoned(path);
    if (owner) {
      throw failed(`process ${owner.pid} still serves the session at ${path}`, `end it with kill ${owner.pid}`);
    }
    report(isKilled ? `el2: the session's process was killed before; removed what it left at ${path}` : `el2: removed ${path}`);
    return ExitCode.Done;
  }
  if (await answers(path)) {
    throw failed(`the session at ${path} has not ended after ${END_TIME / 1000} s`, `end its process with kill ${pid}`);
  }
  if (!ownerOf(path)) removeLeftovers(path);
  return ExitCode.Done;
}
