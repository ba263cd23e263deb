// `el2 down`: ends a session.

import type { Command } from "@commander-js/extra-typings";
import { type CommandContext, examplesText } from "../../common/command.ts";
import { ExitCode, failed, Failure } from "../../common/failure.ts";
import { report } from "../../common/print.ts";
import { chosenSession, type OpenSession, openSession } from "../../common/session.ts";
import { socketPath } from "../../../../session/control/places.ts";
import { ownerOf, removeAbandoned, removeLeftovers } from "../../../../session/control/ownership.ts";
import type { RemoteSession } from "../../../../session/control/remote.ts";
import { lstatIfThere } from "../../../../kit/support/files/own-files.ts";
import { hint, hintText } from "../../../../kit/support/text/hint.ts";

/** How long `down` waits for the session to end, ms: its machine has seconds to end in order. */
const END_TIME = 20_000;
const POLL = 20;

export function registerDown(program: Command, { exit }: CommandContext): void {
  program.command("down")
    .description("end a session, with its VMs and its process")
    .argument("[session]", "its name, or the path of its socket")
    .option("--force", "remove the socket of a session that does not answer")
    .addHelpText("after", examplesText(["down", "down phone", "down phone --force"]))
    .action(async (session, options) => exit(await down(session, options.force ?? false)));
}

async function down(named: string | undefined, force: boolean): Promise<number> {
  let open: OpenSession;
  try {
    open = await openSession({ session: named, naming: hintText(hint("down", "NAME")) });
  } catch (error) {
    if (!(error instanceof Failure) || named === undefined) throw error;
    const path = socketPath(named);
    // A process that lives, even one that does not answer, is ended by name alone.
    const isKilled = !ownerOf(path) && lstatIfThere(path) !== undefined;
    if (!force && !isKilled) throw error;
    const owner = await removeAbandoned(path);
    if (owner) {
      throw failed(`process ${owner.pid} still serves the session at ${path}`, `end it with kill ${owner.pid}`);
    }
    report(isKilled ? `el2: the session's process was killed before; removed what it left at ${path}` : `el2: removed ${path}`);
    return ExitCode.Done;
  }
  using _ = open;
  await end(open.session, socketPath(named ?? chosenSession() ?? open.session.info.name));
  return ExitCode.Done;
}

/** Ends a session, and waits until its process has left the name: its connections end before. */
async function end(session: RemoteSession, path: string): Promise<void> {
  const pid = String(session.info.pid);
  session.onGone = () => {};
  session.down();
  for (const limit = performance.now() + END_TIME; ownerOf(path)?.pid === pid;) {
    if (performance.now() > limit) {
      throw failed(`the session at ${path} has not ended after ${END_TIME / 1000} s`, `end its process with kill ${pid}`);
    }
    await new Promise((resolve) => setTimeout(resolve, POLL));
  }
  // Another session may have the name by now.
  await removeLeftovers(path);
}
