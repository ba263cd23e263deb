// A machine that starts at EL2: each command answers about it, or names what the machine has not.

import assert from "node:assert/strict";
import type { Action } from "../../../../src/model/commands/actions.ts";
import { COMMANDS } from "../../../../src/model/commands/all.ts";
import { parseId } from "../../../../src/model/queries/ids.ts";
import { isAboutPast } from "../../../../src/model/queries/query.ts";
import { machineAtEl2, withEl2Program } from "../../../support/el2-program.ts";
import { sampleValues } from "../../../model/commands/samples.ts";

/** Arguments that name something in this machine. */
const HERE = {
  vm: "host",
  vcpu: "host/0",
  irq: "irq:host/40",
  address: "ipa:host/0x40080000",
  target: "ipa:host/0x40080000",
  id: "vm:host",
  what: "host:0x40080000",
  expression: "host/0:$sp",
};
/** Kinds of ids of Gunyah's things. */
const GUNYAHS = new Set(["cap", "obj", "mq", "db", "parcel", "limit", "rpc"]);
Deno.test("where another hypervisor runs at EL2, commands about Gunyah's things are refused by these, and no other shows them", () =>
  withEl2Program(["start.S", "guest.c"], async (elf) => {
    const { system } = await machineAtEl2(elf), refused = /^this machine has no (.+): they are Gunyah's/;
    system.machine.run(1, 1);
    const others: string[] = [];
    for (const command of COMMANDS) {
      const values = sampleValues(command, HERE) as never, query = command.ask?.(values);
      const actions = (command.steps?.(values) ?? []).flatMap((step) => step.kind === "act" ? [step.action as Action] : []);
      const answer = query && !isAboutPast(query) ? system.inspector.answer(query) : undefined;
      const problems = [answer?.error, ...actions.map((action) => system.inspector.act(action)?.what)].filter((what) => what !== undefined);
      const isRefused = (what: string) => refused.exec(what)?.[1] === command.ofGunyah;
      if (command.ofGunyah === undefined) {
        others.push(...problems.map((what) => `${command.name}: ${what}`));
        const kinds = (answer?.rows ?? []).map(({ id }) => parseId(String(id))?.kind).filter((kind) => kind && GUNYAHS.has(kind));
        assert.deepEqual(kinds, [], command.name);
      } else {
        assert.ok(answer || actions.length, command.name);
        // Others print the rows of the same table.
        for (const what of problems) assert.ok(refused.test(what), `${command.name}: ${what}`);
        assert.ok(problems.length === (answer ? 1 : 0) + actions.length, command.name);
        if (actions.length) assert.ok(problems.some(isRefused), command.name);
      }
    }
    assert.deepEqual(others, [
      "vm.balloon: vm:host has no balloon",
      "vcpu.kill: host/0 cannot be killed: the system depends on it",
      ...["key", "text", "move", "click", "wheel"].map((what) => `input.${what}: vm:host has no keyboard and no tablet`),
    ]);
  }));

Deno.test("faults of Gunyah's calls are refused there, and those of interrupts are not", () =>
  withEl2Program(["start.S", "guest.c"], async (elf) => {
    const { system } = await machineAtEl2(elf);
    const added = (rule: string) => system.inspector.act({ kind: "inject.add", rule });
    assert.equal(
      added("rpc msg=MEM_LEND -> NOMEM")?.what,
      "this machine has no requests to the Resource Manager: they are Gunyah's, and another hypervisor runs at its EL2",
    );
    assert.match(added("hvc name=addrspace_map -> BUSY")?.what ?? "", /^this machine has no hypercalls:/);
    assert.match(added("alloc what=heap -> NOMEM")?.what ?? "", /^this machine has no limited resources:/);
    assert.equal(added("virq vm=host intid=40 -> lose"), undefined);
  }));
