// `el2 irq`: the interrupts of a session.

import type { Command } from "@commander-js/extra-typings";
import { answer } from "../../common/answer.ts";
import { type CommandContext, examplesText } from "../../common/command.ts";
import { BY_ID, type Group, registerGroup, VM_FILTER } from "../../common/group.ts";
import { withListOptions } from "../../common/list-options.ts";
import { openSession, withSessionOptions } from "../../common/session.ts";
import { parseDuration, parseWhole } from "../../common/values.ts";

const IRQ_ARGUMENT = { name: "irq", help: "irq:VM/INTID, or an INTID that one VM uses" } as const;

export const IRQ: Group = {
  name: "irq",
  help: "the interrupts of a session",
  queries: [
    {
      ...VM_FILTER,
      name: "ls",
      help: "list interrupts in use: enabled, pending, active, or raised before",
      table: "irq.ls",
      examples: ["irq ls ping"],
    },
    {
      ...BY_ID,
      name: "show",
      help: "show everything about an interrupt",
      table: "irq.ls",
      argument: IRQ_ARGUMENT,
      examples: ["irq show irq:ping/961"],
    },
    {
      name: "findings",
      help: "list interrupts that storm or cannot be delivered, with the reason",
      table: "irq.ls",
      query: () => ({ filter: "finding!=-" }),
      none: "no storms; every interrupt can be delivered",
      examples: ["irq findings"],
    },
  ],
  actions: [
    {
      name: "raise",
      help: "make an interrupt pending",
      arguments: [IRQ_ARGUMENT],
      action: (irq) => ({ kind: "irq.raise", irq }),
      done: (irq) => `${irq} is pending; a level stays pending until the guest or el2 irq clear ${irq} clears it`,
      examples: ["irq raise irq:ping/961", "irq raise 963"],
    },
    {
      name: "clear",
      help: "make an interrupt no longer pending",
      arguments: [IRQ_ARGUMENT],
      action: (irq) => ({ kind: "irq.clear", irq }),
      done: (irq) => `cleared ${irq}`,
      examples: ["irq clear irq:ping/961"],
    },
  ],
  more: addTop,
};

export function registerIrq(program: Command, context: CommandContext): void {
  registerGroup(program, context, IRQ);
}

/** Time (ns) over which `irq top` counts. */
const TOP_TIME = 1e9;
const TOP_ROWS = 10;

/** Adds `irq top`. */
function addTop(group: Command): void {
  const command = withListOptions(
    withSessionOptions(group.command("top").description("list the most frequent interrupts, and those with a finding")),
  )
    .option("--for <time>", `count over this much wall time (default: ${TOP_TIME / 1e9}s)`, parseDuration)
    .option("--limit <rows>", "at most this many rows", parseWhole(1, 10_000), TOP_ROWS)
    .addHelpText("after", examplesText(["irq top", "irq top --for 2s"]));
  command.action(async () => {
    const options = command.opts();
    using open = await openSession(options);
    // Rates are relative to an earlier query.
    await open.asker.ask({ table: "irq.ls", args: {} });
    await new Promise((resolve) => setTimeout(resolve, (options.for ?? TOP_TIME) / 1e6));
    await answer(open, { table: "irq.ls", args: { filter: "rate>0 | finding!=-", limit: options.limit } }, options.json ?? false, {
      list: options,
    });
  });
}
