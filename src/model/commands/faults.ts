// `el2 inject`: faults in a session's machine.

import { ArgumentError, flag, type Kind, option, words } from "./argument.ts";
import { act, action, command } from "./command.ts";
import { phrase, text } from "./kinds.ts";
import { name, text as someText } from "../queries/fields.ts";
import { FaultRuleError, FAULTS, readFaultRule } from "../queries/fault-rule.ts";

/** A rule of faults, as its grammar writes it. */
const rule: Kind<string> = {
  ...phrase,
  parse: (typed) => {
    try {
      return readFaultRule(typed).text;
    } catch (error) {
      if (!(error instanceof FaultRuleError)) throw error;
      throw new ArgumentError(error.problem);
    }
  },
};

const kinds = Object.entries(FAULTS).map(([kind, { doc, fields }]) =>
  `  ${kind.padEnd(7)} ${doc}\n          ${Object.keys(fields).join("= ")}=`
);

/** A rule of injected faults holds from now on. */
export const INJECT_ADD = action("inject.add", { rule: someText() });
/** It holds no more: `inject:N`, or `all`. */
export const INJECT_REMOVE = action("inject.remove", { rule: name });
export const INJECT = command("inject", {
  doc: "inject faults into a session's machine",
  args: {
    rule: words(rule, "KIND FIELD=VALUE … -> EFFECT, one per argument; without any, list the active rules"),
    list: flag("list the active rules and their hits"),
    remove: option(text, "remove a rule: inject:NUMBER, or all", { value: "id" }),
  },
  right: "changes",
  excludes: [["remove", "rule"]],
  notes:
    `A rule is KIND FIELD=VALUE … -> EFFECT. FIELD!=VALUE negates; a value may have commas and *. nth=3 is the third operation only, nth=3.. the
third and all after it, nth=3..5 a range, every=10 every tenth. EFFECT is the name of an error, delay TIME, lose, double or die.

${kinds.join("\n")}`,
  examples: [
    "inject 'rpc msg=MEM_LEND nth=3 -> NOMEM'",
    "inject 'hvc name=addrspace_map vm=rm nth=1 -> BUSY'",
    "inject 'virq vm=ping intid=48 every=100 -> lose'",
    "inject 'dev=host/blk0 op=write nth=1000.. -> IOERR'",
    "inject --list",
    "inject --remove all",
  ],
  lists: true,
  steps: ({ rule, remove }) => [
    ...rule.flatMap((one) => act(INJECT_ADD.of({ rule: one }))),
    ...remove === undefined ? [] : act(INJECT_REMOVE.of({ rule: remove })),
  ],
  ask: () => ({ table: "inject.ls", args: {} }),
  prints: { "inject.ls": { list: true } },
});
