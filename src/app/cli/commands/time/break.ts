// `el2 break`: where a session's machine stops.

import type { Command } from "@commander-js/extra-typings";
import { answer } from "../../common/answer.ts";
import type { CommandContext } from "../../common/command.ts";
import { ExitCode, Failure } from "../../common/failure.ts";
import { withListOptions } from "../../common/list-options.ts";
import { openSession, withSessionOptions } from "../../common/session.ts";
import { changeStops, firstStop, within } from "../../common/stops.ts";
import { checkedEventFilter, parseDuration } from "../../common/values.ts";
import type { StopChange } from "../../../../model/queries/stop-rule.ts";

export function registerBreak(program: Command, { exit }: CommandContext): void {
  withListOptions(withSessionOptions(
    program.command("break").description(
      "stop a session's machine at the next event that matches a filter, or before an instruction",
    ),
  ))
    .argument("[rule...]", "event filters, one per argument; without any, list the active rules")
    .option(
      "--at <place>",
      "stop before this instruction, VM:SYMBOL or VM:ADDRESS, or as a system call of Linux returns, syscall:NAME[:RESULT]; repeatable",
      collectPlaces,
    )
    .option("--list", "list the active rules, and where they stopped the machine")
    .option("--remove <id>", "remove a rule: stop:NUMBER, or all")
    .option("--wait", "wait until a rule stops the machine, and print the rule and the place")
    .option("--timeout <time>", "wall time for --wait; exits with 4 after it", parseDuration)
    .addHelpText(
      "after",
      `
el2 resume continues the machine. el2 symbols lists the symbols. Only one VM at a time can have breakpoints or a gdb.

Examples:
  el2 break 'kind=rpc refused=yes' --wait         stop at the next request that the resource manager refuses
  el2 break 'kind=hvc name=addrspace_map vm=rm'
  el2 break --at debian:vfs_open --wait --timeout 60s && el2 vcpu stack debian/0
  el2 break --at syscall:openat:ENOENT --wait     stop as a program of Linux does not find a file
  el2 break --remove all && el2 resume`,
    )
    .action(async (rules, options) => {
      if (options.remove !== undefined && rules.length + (options.at?.length ?? 0) > 0) {
        throw new Failure("break: --remove and a rule are mutually exclusive", "give one");
      }
      const changes: StopChange[] = [
        ...rules.map((filter): StopChange => ({ kind: "event", filter: checkedEventFilter("break", filter) })),
        ...(options.at ?? []).map((at): StopChange => ({ kind: "place", at })),
        ...options.remove === undefined ? [] : [{ kind: "remove", rule: options.remove } as const],
      ];
      using open = await openSession(options);
      const stopped = firstStop(open);
      for (const change of changes) await changeStops(open, change);
      // Without a new rule, the wait is for a paused machine.
      const waits = options.wait && (rules.length + (options.at?.length ?? 0) > 0 || !open.session.info.paused);
      const stop = waits ? await within(stopped, options.timeout, "no rule has stopped the machine") : undefined;
      const filter = stop && `id=${stop.rule}`;
      await answer(open, { table: "stop.ls", args: { filter } }, options.json ?? false, { list: options });
      exit(ExitCode.Done);
    });
}

function collectPlaces(text: string, before: string[] = []): string[] {
  return [...before, text];
}
