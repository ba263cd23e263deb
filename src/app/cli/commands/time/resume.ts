// `el2 resume`: ends a pause.

import type { Command } from "@commander-js/extra-typings";
import { setPaused } from "./pause.ts";
import type { CommandContext } from "../../common/command.ts";
import { withSessionOptions } from "../../common/session.ts";

export function registerResume(program: Command, { exit }: CommandContext): void {
  withSessionOptions(
    program.command("resume").description("continue a paused session from the present; changes the machine"),
  )
    .addHelpText("after", "\nExamples:\n  el2 resume")
    .action(async (options) => exit(await setPaused(options, false)));
}
