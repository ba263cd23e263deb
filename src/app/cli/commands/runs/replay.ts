// `el2 replay F`: a recorded run again.

import type { Command } from "@commander-js/extra-typings";
import { resolve } from "node:path";
import type { CommandContext } from "../../common/command.ts";
import { parsePlaceOfRun } from "../../common/values.ts";
import { asciiOption, logOption, plainOption, themeOption } from "../../options/look.ts";
import { timeoutOption, withCoreOptions, withSavedOptions } from "../../options/start.ts";
import { hostConsent } from "../../start/plans/consent.ts";
import { onlyPlace, readLinked } from "../../start/plans/recordings.ts";
import { placeIn } from "../../../replays/planned-recording.ts";
import { displayed, type DisplayOptions, showSession } from "../../start/show.ts";
import { hint, hintText } from "../../../../kit/support/text/hint.ts";
import { PLACES_OF_RUN } from "../../../../model/commands/kinds.ts";
import type { PlaceOfRun } from "../../../../model/queries/move.ts";
import { PRIMARY_CONSOLE, type SessionPlan } from "../../../../model/plans/plan.ts";
import { type Exits, exitsText, withExits } from "../../common/command-tree.ts";

const EXITS: Exits = {
  remark: "that of the recorded run",
  codes: { 1: "the runs differ, or the recording is truncated", 2: "it cannot be read" },
};

/** A place of the run, or its end. */
const parseEnd = (text: string) => text === "end" ? text : parsePlaceOfRun(text);

export function registerReplay(program: Command, { entry, exit }: CommandContext): void {
  const replay = withExits(program.command("replay"), EXITS)
    .description("replay a recording: the same run, instruction for instruction")
    .argument("<file>", `recording, or a link (${hintText(hint("link"))})`)
    .option(
      "--verify",
      "compare memory and consoles at the end, too; registers are compared every 10,000,000 instructions",
    )
    .option(
      "--to <place>",
      `stop at a place of the run: ${PLACES_OF_RUN}, or the "end"`,
      parseEnd,
    )
    .option("--tui", "show the screens (default: consoles as text)")
    .addOption(timeoutOption);
  withCoreOptions(withSavedOptions(replay))
    .optionsGroup("Display:")
    .addOption(logOption)
    .addOption(asciiOption)
    .addOption(plainOption)
    .addOption(themeOption)
    .addHelpText(
      "after",
      `
${exitsText(EXITS)}

Examples:
  el2 replay bug.rec --verify
  el2 replay bug.rec --to 12.5s --tui
  el2 replay 'bug.rec#to=12.5s&screen=rpc'`,
    )
    .action(async (named, options) => exit(await replayed(entry, named, options)));
}

interface ReplayOptions extends DisplayOptions, Partial<Pick<SessionPlan, "tier" | "memoryBudget" | "diskBudget">> {
  readonly to?: PlaceOfRun | "end";
  readonly tui?: true;
  readonly verify?: true;
  readonly allowHost?: readonly string[];
  readonly anyway?: boolean;
}

async function replayed(entry: URL, named: string, options: ReplayOptions): Promise<number> {
  const { path, recording: { plan, ...recording }, bytes, linked } = await readLinked(
    named,
    hostConsent(options.allowHost),
    options.anyway,
  );
  const { verify = false, tier, memoryBudget, diskBudget } = options,
    to = onlyPlace(options.to, recording),
    isOnScreens = options.tui || linked !== undefined;
  const hasStates = isOnScreens && diskBudget !== 0;
  const states = hasStates ? (await import("../../../../session/recordings/past/states-path.ts")).statesPath(bytes) : undefined;
  const again: SessionPlan = {
    ...plan,
    ...tier && { tier },
    ...memoryBudget && { memoryBudget },
    diskBudget,
    replay: {
      recording,
      verify,
      to: to === undefined || to === "end" ? undefined : placeIn(recording, path, to),
      // A comparison begins at the start.
      states: states === undefined ? undefined : { path: states, begins: to !== undefined && !verify },
    },
  };
  return await showSession(entry, again, {
    ...displayed(options),
    title: `replay ${path.split("/").at(-1)}`,
    recording: resolve(path),
    linked,
    names: plan.what.kind === "run",
    headless: !isOnScreens,
    console: plan.what.kind === "boot" ? PRIMARY_CONSOLE : undefined,
  });
}
