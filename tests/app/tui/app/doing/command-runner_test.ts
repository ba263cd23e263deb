// Commands of a session from menus and the palette: each sends what it says, or shows its answer.

import assert from "node:assert/strict";
import { OBJECT_LINES } from "../../../../../src/app/tui/app/doing/object-menus.ts";
import { PALETTE_COMMANDS } from "../../../../../src/app/tui/app/doing/palette-commands.ts";
import { ACTIONS } from "../../../../../src/app/tui/actions/actions.ts";
import { COMMANDS } from "../../../../../src/model/commands/all.ts";
import type { Arguments, GivenOf } from "../../../../../src/model/commands/argument.ts";
import { hintFor, usageOf } from "../../../../../src/model/commands/words.ts";
import { hintWords } from "../../../../../src/kit/support/text/hint.ts";
import { shellQuoted } from "../../../../../src/kit/support/text/shell.ts";
import { commandTree } from "../../../../../src/app/cli/common/command-tree.ts";
import { makeProgram } from "../../../../../src/app/cli/main.ts";
import type { Request } from "../../../../../src/model/protocol/protocol.ts";
import { sampleValues } from "../../../../model/commands/samples.ts";
import { Rig, settle } from "../../rig.ts";

/** Requests of a command, without their numbers. */
function sentAfter(rig: Rig, before: number): Record<string, unknown>[] {
  const passing = new Set<Request["kind"]>(["forget", "watch", "taken"]);
  return rig.requests.slice(before).filter((request) => !passing.has(request.kind) && !("repeat" in request)).map((request) => {
    const { id: _, ...rest } = request as Request & { id?: number };
    return rest;
  });
}

Deno.test("every command is a line of the palette that runs as on the command line: its steps are sent, its question is asked", async () => {
  for (const command of COMMANDS) {
    const values = sampleValues(command, { vm: "debian" }), words = hintWords(hintFor(command, values as GivenOf<Arguments>));
    const steps = command.steps?.(values) ?? [], asked = command.ask?.(values);
    if (isScreen(words.join(" "))) continue;
    const rig = new Rig(120, 36);
    await rig.lines();
    const before = rig.requests.length;
    await rig.type(`:${words.map((word) => /^[\w:/.,-]+$/.test(word) ? word : shellQuoted(word)).join(" ")}\r`);
    if (/any other key {2}cancels/.test(await rig.text())) await rig.type("y");
    await settle();
    const sent = sentAfter(rig, before), text = await rig.text();
    for (const step of steps) {
      assert.ok(sent.some((one) => JSON.stringify(one, bigText) === JSON.stringify(step, bigText)), `${command.name} sends ${step.kind}`);
    }
    // A mark is set once it is acknowledged.
    if (!steps.length && asked) {
      assert.ok(sent.some((one) => one.kind === "query" && (one.query as { table: string }).table === asked.table), `${command.name} asks`);
      assert.match(text, /Esc closes|ERROR|FAILED/, `${command.name} shows its answer`);
    }
    if (!steps.length && !asked) assert.match(text, OWN_WAYS[command.name] ?? /= Console/, `${command.name} shows consoles`);
  }
});

/** Texts after commands that have neither steps nor a question, and show no console. */
const OWN_WAYS: Readonly<Record<string, RegExp>> = { link: /this run is not in a recording/ };

const bigText = (_: string, value: unknown) => typeof value === "bigint" ? `${value}n` : value;

/** A line without arguments that a screen shows better. */
const isScreen = (path: string) =>
  ACTIONS.some((action) => "screen" in action && (action.screen.command?.command === path || action.screen.aliases?.includes(path))) ||
  ACTIONS.some(({ aliases }) => aliases?.includes(path));

Deno.test("every command can be found in the palette, with what it takes, what it does and the line of a shell", async () => {
  const rig = new Rig(160, 60);
  for (const command of PALETTE_COMMANDS) {
    await rig.type(`:${usageOf(command)}`);
    const text = await rig.text();
    assert.ok(text.includes(usageOf(command)), command.name);
    await rig.press("esc");
  }
  await rig.type(":queue flu");
  assert.match(await rig.text(), /> queue flush <queue> +remove all messages from a queue[^]*shell {2}el2 queue flush QUEUE/);
  await rig.type("\tmq:7\r");
  assert.match(await rig.text(), /Remove all messages of mq:7\? [^]*shell +el2 queue flush mq:7/);
  await rig.type("y");
  assert.deepEqual(rig.acted, [{ kind: "queue.flush", queue: "mq:7" }]);
});

Deno.test("what a screen or an action names as its command is a command of el2", () => {
  const tree = commandTree(makeProgram(new URL(import.meta.url), () => {}));
  for (const action of ACTIONS) {
    const hint = "screen" in action ? action.screen.command : action.command;
    if (!hint) continue;
    let node: typeof tree | undefined = tree;
    for (const word of hint.command.split(" ")) node = node?.commands.find(({ name }) => name === word);
    assert.ok(node, action.name);
    for (const option of Object.keys(hint.options)) {
      assert.ok(node.options.some(({ long }) => long === `--${option}`), `${action.name} --${option}`);
    }
  }
});

Deno.test("the lines of menus have other letters for each kind of object, and each that changes the machine asks", () => {
  for (const kind of new Set(OBJECT_LINES.flatMap(({ on }) => on))) {
    for (const danger of [true, false]) {
      const keys = OBJECT_LINES.filter((line) => line.on.includes(kind) && (danger ? line.danger : true)).map(({ key }) => key);
      assert.equal(new Set(keys).size, keys.length, `${kind}: ${keys}`);
    }
  }
  for (const line of OBJECT_LINES) {
    if ("outward" in line || line.command.name === "back" || line.command.name === "console") continue;
    assert.equal(line.danger, line.command.right === "changes", line.name);
  }
});

Deno.test("typed lines: a rule and a filter need no quotes, el2 may be before it, what is wrong is said as on the command line", async () => {
  const rig = new Rig(140, 36);
  await rig.lines();
  await rig.type(":inject rpc msg=MEM_LEND nth=1 -> NOMEM\r");
  await rig.press("esc");
  await rig.type(":el2 break kind=rpc refused=yes\r");
  await rig.press("esc");
  await rig.type(":break kind=hvc 'kind=rpc vm=rt'\r");
  await rig.press("esc");
  assert.deepEqual(rig.acted, [{ kind: "inject.add", rule: "rpc msg=MEM_LEND nth=1 -> NOMEM" }]);
  assert.deepEqual(rig.stops, ["kind=rpc refused=yes", "kind=hvc", "kind=rpc vm=rt"].map((filter) => ({ kind: "event", filter })));
  for (
    const [line, wrong] of [
      ["who ping:ticks --size 9000", /--size: "9000" is outside 1\.\.4096 bytes/],
      ["who ping:ticks --sise 8", /who has no argument "sise"; did you mean "size"/],
      ["back --by 1 --now", /back: --by, .* are mutually exclusive/],
      ["find kind=rpc --event kind=rpc", /find: give a target or --event/],
      ["vm stop", /vm stop: "vm" is missing/],
      ["vm stop rt now", /vm stop: "now" is one word too many/],
      ["console rt --expect x", /console: --expect is for the command line; el2 console rt --expect x/],
    ] as const
  ) {
    await rig.type(`:${line}\r`);
    assert.match(await rig.text(), wrong, line);
    await rig.type("j");
  }
  assert.equal(rig.acted.length, 1);
});

Deno.test("a command on an object that has ended shows what the session says", async () => {
  const rig = new Rig(140, 36);
  rig.actError = "vm:rt has ended";
  await rig.type(":vm stop rt\r");
  await rig.type("y");
  assert.match(await rig.text(), /REFUSED {2}vm:rt has ended/);
});

Deno.test("events --follow is the screen of events with that filter; logs is all consoles in one pane", async () => {
  const rig = new Rig(140, 36);
  await rig.type(":events --follow --vm rt --filter kind=rpc\r");
  assert.equal(rig.shown, "9");
  assert.match(await rig.text(), /kind=rpc vm=rt/);
  await rig.type(":events --follow --kinds rpc,virq\r");
  assert.match(await rig.text(), /kind=rpc \| kind=virq/);
  await rig.type(":logs\r");
  assert.equal(rig.shown, "1");
  assert.match(await rig.text(), /= Consoles all =[^]*rt ready/);
});
