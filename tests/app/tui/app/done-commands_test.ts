// Changes of the machine from the screens, as commands that do the same.

import assert from "node:assert/strict";
import { type CommandNode, commandTree, isRunnable } from "../../../../src/app/cli/common/command-tree.ts";
import { makeProgram } from "../../../../src/app/cli/main.ts";
import type { Request } from "../../../../src/model/protocol/protocol.ts";
import { DoneCommands } from "../../../../src/app/tui/app/done-commands.ts";
import { Rig } from "../rig.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

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

/** Requests of every kind that a command repeats, and that command. */
const DONE: readonly (readonly [Request, string])[] = [
  [{ kind: "pause" }, "pause"],
  [{ kind: "resume" }, "resume"],
  [{ kind: "move", id: 1, to: { kind: "step", by: -2 } }, "back --by 2"],
  [{ kind: "move", id: 1, to: { kind: "step", by: 1 } }, "on --by 1"],
  [{ kind: "move", id: 1, to: { kind: "instructions", count: 9 } }, "back --to 9"],
  [{ kind: "move", id: 1, to: { kind: "event", filter: "kind=rpc vm=a" } }, "back --event 'kind=rpc vm=a'"],
  [{ kind: "move", id: 1, to: { kind: "next-event", filter: "kind=rpc" } }, "on --event kind=rpc"],
  [{ kind: "move", id: 1, to: { kind: "place", at: "a:main" } }, "back --at a:main"],
  [{ kind: "move", id: 1, to: { kind: "now" } }, "back --now"],
  [{ kind: "snapshot", id: 1, path: "/tmp/it's.snap", title: "a" }, `snapshot save '/tmp/it'\\''s.snap'`],
  [{ kind: "mark", id: 1, name: "here" }, "mark here"],
  [{ kind: "stop-rule", id: 1, change: { kind: "event", filter: "kind=hvc" } }, "break kind=hvc"],
  [{ kind: "stop-rule", id: 1, change: { kind: "place", at: "a:0x80000000" } }, "break --at a:0x80000000"],
  [{ kind: "stop-rule", id: 1, change: { kind: "step", vcpu: "vcpu:a/0", count: 3 } }, "vcpu step vcpu:a/0 --count 3"],
  [{ kind: "stop-rule", id: 1, change: { kind: "remove", rule: "stop:1" } }, "break --remove stop:1"],
  [{ kind: "input", console: "a", bytes: bytes("ls é\\\r\x03'") }, `console a --send 'ls é\\\\\\r\\x03'\\'''`],
  [{ kind: "act", id: 1, action: { kind: "vm.stop", vm: "a", force: false } }, "vm stop a"],
  [{ kind: "act", id: 1, action: { kind: "vm.stop", vm: "a", force: true } }, "vm kill a"],
  [{ kind: "act", id: 1, action: { kind: "vm.start", vm: "a" } }, "vm start a"],
  [{ kind: "act", id: 1, action: { kind: "vm.create", vm: "a" } }, "vm create a"],
  [{ kind: "act", id: 1, action: { kind: "vm.reset", vm: "a" } }, "vm reset a"],
  [{ kind: "act", id: 1, action: { kind: "console.break", console: "a" } }, "console a --break"],
  [
    { kind: "act", id: 1, action: { kind: "rpc.send", id: 0x5600_0001, payload: Uint8Array.of(1, 2) } },
    "rpc send 0x56000001 --payload 0102",
  ],
  [{ kind: "act", id: 1, action: { kind: "queue.send", queue: "mq:1", bytes: bytes("ab") } }, "queue send mq:1 6162"],
  [{ kind: "act", id: 1, action: { kind: "queue.flush", queue: "mq:1" } }, "queue flush mq:1"],
  [{ kind: "act", id: 1, action: { kind: "doorbell.ring", doorbell: "db:1", flags: 1n } }, "queue ring-bell db:1 0x1"],
  [{ kind: "act", id: 1, action: { kind: "irq.raise", irq: "irq:a/27" } }, "irq raise irq:a/27"],
  [{ kind: "act", id: 1, action: { kind: "irq.clear", irq: "irq:a/27" } }, "irq clear irq:a/27"],
  [{ kind: "act", id: 1, action: { kind: "mem.write", at: "pa:0x40000000", bytes: bytes("a") } }, "mem write pa:0x40000000 61"],
  [{ kind: "act", id: 1, action: { kind: "vcpu.set", vcpu: "vcpu:a/0", register: "x0", value: 5n } }, "vcpu set vcpu:a/0 x0 0x5"],
  [{ kind: "act", id: 1, action: { kind: "vcpu.kill", vcpu: "vcpu:a/0" } }, "vcpu kill vcpu:a/0"],
  [{ kind: "act", id: 1, action: { kind: "balloon.set", vm: "a", bytes: 4096 } }, "vm balloon a 4096"],
  [{ kind: "act", id: 1, action: { kind: "inject.add", rule: "rpc nth=1 -> NOMEM" } }, "inject 'rpc nth=1 -> NOMEM'"],
  [{ kind: "act", id: 1, action: { kind: "inject.remove", rule: "all" } }, "inject --remove all"],
];

Deno.test("each change of the machine is a command that exists, with its options, in a shell's words", () => {
  const tree = commandTree(makeProgram(new URL(import.meta.url), () => {}));
  for (const [request, expected] of DONE) {
    const done = new DoneCommands();
    done.through(new Rig(80, 24).app.port).send(request);
    assert.deepEqual(done.lines, [`el2 ${expected}`]);
    let node: CommandNode = tree;
    const words = expected.split(" ");
    for (let next: CommandNode | undefined = tree; next; next = node.commands.find(({ name }) => name === words[0])) {
      if (next !== tree) words.shift();
      node = next;
    }
    assert.ok(isRunnable(node), expected);
    for (const word of words.filter((one) => one.startsWith("--"))) assert.ok(node.options.some(({ long }) => long === word), expected);
  }
});

Deno.test("what was typed into a console is one command; questions, reads and passing files are none", () => {
  const done = new DoneCommands(), sent: Request[] = [];
  const port = done.through({ ...new Rig(80, 24).app.port, send: (request) => sent.push(request) });
  for (const letter of "ls\r") port.send({ kind: "input", console: "a", bytes: bytes(letter) });
  port.send({ kind: "input", console: "b", bytes: bytes("x") });
  port.send({ kind: "query", id: 1, query: { table: "vm.ls", args: {} } });
  port.send({ kind: "taken", bytes: 3 });
  port.send({ kind: "snapshot", id: 1, path: "/tmp/x", title: "a", passing: true });
  port.send({ kind: "move", id: 0, to: { kind: "here" } });
  assert.deepEqual(done.lines, ["el2 console a --send 'ls\\r'", "el2 console b --send x"]);
  assert.equal(sent.length, 8, "every request is sent on");
});
