// `el2 on`: runs a paused machine, or its past, up to a place.

import type { Command } from "@commander-js/extra-typings";
import { move, MOVE_TIMEOUT } from "./back.ts";
import { type CommandContext, examplesText } from "../../common/command.ts";
import { Failure } from "../../common/failure.ts";
import { withSessionOptions } from "../../common/session.ts";
import { checkedEventFilter, parseDuration, parseWhole } from "../../common/values.ts";
import type { Move } from "../../../../model/protocol/protocol.ts";

export function registerOn(program: Command, { exit }: CommandContext): void {
  withSessionOptions(program.command("on").description("step forward from a pause or from an earlier point; changes the machine"))
    .option("--by <n>", "go forward this many instructions (default: 1)", parseWhole(1, Number.MAX_SAFE_INTEGER))
    .option("--event <filter>", "go forward to the next matching event; at the present, run until it occurs")
    .option("--timeout <time>", MOVE_TIMEOUT, parseDuration)
    .addHelpText("after", examplesText(["on --by 1000", "on --event kind=rpc --timeout 10s"]))
    .action(async (options) => {
      const { by, event } = options;
      if (by !== undefined && event !== undefined) throw new Failure("on: --by and --event are mutually exclusive", "give one");
      const next: Move | undefined = event === undefined ? undefined : { kind: "next-event", filter: checkedEventFilter("--event", event) };
      exit(await move(options, next ?? { kind: "step", by: by ?? 1 }));
    });
}
