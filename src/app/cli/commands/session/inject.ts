// `el2 inject`: rules of injected faults in a session.

import type { Command } from "@commander-js/extra-typings";
import { answer } from "../../common/answer.ts";
import { failed, Failure } from "../../common/failure.ts";
import { withListOptions } from "../../common/list-options.ts";
import { openSession, withSessionOptions } from "../../common/session.ts";
import { readRules } from "../../options/behavior.ts";
import { FAULTS } from "../../../../model/queries/fault-rule.ts";
import type { Action } from "../../../../model/queries/action.ts";
import { within } from "../../../../kit/support/problem.ts";

export function registerInject(program: Command): void {
  const command = withListOptions(withSessionOptions(
    program.command("inject").description("inject faults into a session's machine: the n-th call, request, allocation or interrupt"),
  ))
    .argument("[rule...]", "KIND FIELD=VALUE … -> EFFECT, one per argument; without any, list the active rules")
    .option("--list", "list the active rules and their hits")
    .option("--remove <id>", "remove a rule: inject:NUMBER, or all")
    .addHelpText("after", helpText());
  command.action(async (rules) => {
    const options = command.opts();
    if (options.remove !== undefined && rules.length > 0) {
      throw new Failure("inject: --remove and a rule are mutually exclusive", "give one");
    }
    const actions: Action[] = (await readRules(rules)).map(({ text }) => ({ kind: "inject.add", rule: text }));
    if (options.remove !== undefined) actions.push({ kind: "inject.remove", rule: options.remove });
    using open = await openSession(options);
    for (const action of actions) {
      const error = await open.asker.act(action);
      if (error !== undefined) throw failed(within("inject", error));
    }
    await answer(open, { table: "inject.ls", args: {} }, options.json ?? false, { list: options });
  });
}

/** Kinds, fields and effects, from their table. */
function helpText(): string {
  const kinds = Object.entries(FAULTS).map(([kind, { doc, fields }]) =>
    `  ${kind.padEnd(7)} ${doc}\n          ${Object.keys(fields).join("= ")}=`
  );
  return `
A rule is KIND FIELD=VALUE … -> EFFECT. FIELD!=VALUE negates; a value may have commas and *. nth=3 is the third operation only, nth=3.. the
third and all after it, nth=3..5 a range, every=10 every tenth. EFFECT is the name of an error, delay TIME, lose, double or die.

${kinds.join("\n")}

Examples:
  el2 inject 'rpc msg=MEM_LEND nth=3 -> NOMEM'
  el2 inject 'hvc name=addrspace_map vm=rm nth=1 -> BUSY'
  el2 inject 'virq vm=ping intid=48 every=100 -> lose'
  el2 inject 'dev=host/blk0 op=write nth=1000.. -> IOERR'
  el2 inject --list
  el2 inject --remove all`;
}
