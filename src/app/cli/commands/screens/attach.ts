// `el2 attach`: the screens of a session that runs in the background.

import type { Command } from "@commander-js/extra-typings";
import { type CommandContext, examplesText } from "../../common/command.ts";
import { Failure } from "../../common/failure.ts";
import { connectNamed } from "../../common/session.ts";
import { asciiOption, plainOption, readOnlyOption, themeOption } from "../../options/look.ts";
import { hint, hintText } from "../../../../kit/support/text/hint.ts";
import { way } from "../../../../kit/support/text/way-out.ts";

export function registerAttach(program: Command, { entry, exit }: CommandContext): void {
  const attach = program.command("attach")
    .description("show a session that runs in the background")
    .argument("[session]", "its name, or the path of its socket")
    .addOption(readOnlyOption)
    .addOption(asciiOption)
    .addOption(plainOption)
    .addOption(themeOption)
    .addHelpText("after", examplesText(["attach", "attach phone --read-only"]));
  attach.action(async (session, options) => {
    if (!Deno.stdin.isTerminal() || !Deno.stdout.isTerminal()) {
      throw new Failure(
        "attach needs a terminal",
        way`without one: ${hint("logs", { session })}, ${hint("events", { session, follow: true })}, ${hint("vm ls", { session })}`,
      );
    }
    const { ascii, plain, theme } = options, look = { ascii, plain, theme };
    const remote = await connectNamed({ session, readOnly: options.readOnly, follow: true, naming: hintText(hint("attach", "NAME")) });
    const { info: { name, configuration, paused, ended }, readOnly } = remote;
    const { surroundings, uiOfFile } = await import("../../start/look/surroundings.ts");
    const { showOpening } = await import("../../start/screens/opening.ts");
    const looks = surroundings(look, await uiOfFile(configuration));
    const state = ended !== undefined ? "ENDED" : paused ? "PAUSED" : "LIVE";
    await showOpening(looks, { title: name, configuration, readOnly, state, awaited: "Asking the session" });
    const { showRemote } = await import("../../start/screens/screens.ts");
    exit(await showRemote(remote, look, entry, looks));
  });
}
