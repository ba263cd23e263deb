// Changes of the machine from the screens, as commands that do the same.

import assert from "node:assert/strict";
import { type CommandNode, commandTree, isRunnable } from "../../../../../src/app/cli/common/command-tree.ts";
import { makeProgram } from "../../../../../src/app/cli/main.ts";
import { Done } from "../../../../../src/app/tui/app/services/done.ts";
import { Steps } from "../../../../../src/app/tui/app/services/steps.ts";
import { COMMANDS } from "../../../../../src/model/commands/all.ts";
import type { Arguments, GivenOf } from "../../../../../src/model/commands/argument.ts";
import { CONSOLE } from "../../../../../src/model/commands/consoles.ts";
import { BACK, ON } from "../../../../../src/model/commands/time.ts";
import { lineFor, pathOf } from "../../../../../src/model/commands/words.ts";
import type { Request } from "../../../../../src/model/protocol/protocol.ts";
import { Asker } from "../../../../../src/session/control/asker.ts";
import { sampleValues } from "../../../../model/commands/samples.ts";
import { Rig } from "../../rig.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

/** Steps whose requests are only kept. */
function stepsAlone() {
  const sent: Request[] = [], done = new Done(), send = (request: Request) => void sent.push(request);
  return { sent, done, steps: new Steps(new Asker({ send }), { beginMove() {} }, send, done) };
}

Deno.test("the palette's done lists what was done to the machine as commands, and copies one or all", async () => {
  const rig = new Rig(120, 36);
  await rig.type(":done");
  await rig.press("enter");
  assert.match(await rig.text(), /you have not changed the machine here/);
  await rig.type("p.,,,");
  await rig.type(":stop off");
  await rig.press("enter");
  await rig.type(":done");
  await rig.press("enter");
  assert.match(await rig.text(), /done here; Enter copies[^]*all 4[^]*break --remove all[^]*back --by 3[^]*on --by 1[^]*el2 pause/);
  await rig.press("enter");
  assert.deepEqual(rig.copied, ["el2 pause\nel2 on --by 1\nel2 back --by 3\nel2 break --remove all\n"]);
});

Deno.test("each command that has the session do something is noted as it was run, and is a command line of el2", () => {
  const tree = commandTree(makeProgram(new URL(import.meta.url), () => {}));
  let noted = 0;
  for (const command of COMMANDS) {
    const values = sampleValues(command), { done, sent, steps } = stepsAlone();
    const wants = command.steps?.(values) ?? [];
    void steps.run(command, values as GivenOf<Arguments>);
    assert.deepEqual(done.lines, wants.length ? [lineFor(command, values as GivenOf<Arguments>)] : [], command.name);
    // A stop asks what it stops.
    assert.equal(sent.find(({ kind }) => kind !== "query")?.kind, wants[0]?.kind, command.name);
    if (wants.length === 0) continue;
    noted++;
    let node: CommandNode | undefined = tree;
    for (const word of pathOf(command).split(" ")) node = node?.commands.find(({ name }) => name === word);
    assert.ok(node && isRunnable(node), command.name);
    for (const name of Object.keys(command.args).filter((one) => command.args[one].form !== "word")) {
      assert.ok(node.options.some(({ long }) => long === `--${name}`), `${command.name} --${name}`);
    }
  }
  assert.ok(noted > 0);
});

Deno.test("steps in one direction are one command, and so is text typed into one console", () => {
  const { done, sent, steps } = stepsAlone();
  for (const letter of "ls\r") void steps.run(CONSOLE, { vm: "a", send: bytes(letter) });
  void steps.run(CONSOLE, { vm: "b", send: bytes("x\\é\x03'") });
  for (const by of [1, 2]) void steps.run(BACK, { by });
  void steps.run(ON, { by: 4 });
  void steps.run(BACK, { event: "kind=rpc vm=a" });
  void steps.run(BACK, { now: true });
  assert.deepEqual(done.lines, [
    "el2 console a --send 'ls\\r'",
    `el2 console b --send 'x\\\\é\\x03'\\'''`,
    "el2 back --by 3",
    "el2 on --by 4",
    "el2 back --event 'kind=rpc vm=a'",
    "el2 back --now",
  ]);
  assert.equal(sent.length, 9, "every request is sent");
});

Deno.test("typed keys, p, stepping and t s are noted; a way that is cancelled and a fork's file are not", async () => {
  const rig = new Rig(120, 36, { fork: async (save) => (await save("/tmp/passing.snap"), "other") });
  await rig.type("cls\r\x1dd");
  await rig.type("ts\x15/tmp/it's.snap\r");
  await rig.type("tf");
  await rig.press("ctrl-c");
  await rig.type(":done\r\r");
  assert.deepEqual(rig.copied, [`el2 console debian --send 'ls\\r'\nel2 snapshot save '/tmp/it'\\''s.snap'\n`]);
});
