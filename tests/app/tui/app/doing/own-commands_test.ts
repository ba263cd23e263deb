// `[[ui.command]]`: the user's own commands in the screens.

import assert from "node:assert/strict";
import type { FileCommand } from "../../../../../src/app/configuration/keys/commands.ts";
import type { CommandOutput } from "../../../../../src/app/tui/app/doing/own-commands.ts";
import { fieldsOf, withFields } from "../../../../../src/app/tui/app/doing/own-commands.ts";
import type { AppOptions } from "../../../../../src/app/tui/app/app-port.ts";
import type { Row } from "../../../../../src/model/queries/table.ts";
import { Rig } from "../../rig.ts";

const command = (fields: Partial<FileCommand> & Pick<FileCommand, "name" | "run">): FileCommand => ({
  ...{ key: undefined, where: undefined, confirm: false, output: "pane", timeout: 1000, read_only: false },
  ...fields,
});

/** An application with commands, and the words that they were started with. */
function rigWith(commands: readonly FileCommand[], options: Partial<AppOptions> = {}) {
  const started: (readonly string[])[] = [];
  let answer: CommandOutput = { problem: undefined, output: "", cut: false };
  const rig = new Rig(120, 36, {
    commands,
    runCommand: (_command, run) => {
      started.push(run);
      return Promise.resolve(answer);
    },
    ...options,
  });
  return { rig, started, answers: (next: Partial<CommandOutput>) => answer = { ...answer, ...next } };
}

Deno.test("a command of the user runs by its key on the rows that it is for, with their fields, and shows its output", async () => {
  const { rig, started, answers } = rigWith([
    command({ name: "graph", key: "Z", where: ["vm"], run: ["dot", "--vm={name}", "{id}"] }),
    command({ name: "note", key: "Z", where: ["irq"], run: ["note"] }),
  ]);
  answers({ output: "one\n\ttwo\x1b[2J\n" });
  await rig.type("1");
  await rig.lines();
  await rig.type("Z");
  assert.match(await rig.text(), /= graph {2}done/);
  const [[, name, id]] = started;
  assert.ok(/^vm:\S+$/.test(id) && name === `--vm=${id.slice(3)}`, started.join());
  const text = await rig.text();
  assert.ok(text.includes("one") && /\n.* {4}two\S*\[2J/.test(text) && !text.includes("\x1b[2J"), text);
  await rig.press("esc");
  await rig.type("9");
  await rig.lines();
  await rig.type("Z");
  assert.match(await rig.text(), /Z has no action here/);
  assert.equal(started.length, 1);
});

Deno.test("commands are listed in the menu of actions, the palette and the help", async () => {
  const { rig, started } = rigWith([command({ name: "graph", key: "Z", where: ["vm"], run: ["dot", "a b"] })]);
  await rig.type("1");
  await rig.lines();
  await rig.type("a");
  assert.match(await rig.text(), / Z {2}graph +dot 'a b'/);
  await rig.type("Z");
  await rig.type(":graph");
  await rig.press("enter");
  assert.deepEqual(started, [["dot", "a b"], ["dot", "a b"]]);
  await rig.type("?");
  assert.match(await rig.text(), /your commands[^]*Z +dot a b \(vm\)/);
});

Deno.test("a command with confirm asks first, and only y runs it; its failure is a message", async () => {
  const { rig, started, answers } = rigWith([
    command({ name: "flash", key: "Z", confirm: true, output: "message", run: ["flash", "{id}"] }),
  ]);
  answers({ problem: "exit code 3", output: "a\nno device\n" });
  await rig.type("1");
  await rig.lines();
  await rig.type("Z");
  assert.match(await rig.text(), /Run flash\?[^]*Starts this program of yours[^]*shell +flash vm:/);
  await rig.type("n");
  assert.equal(started.length, 0);
  await rig.type("Zy");
  assert.equal(started.length, 1);
  assert.match(await rig.text(), /flash: exit code 3: no device/);
  await rig.type("!");
  assert.match(await rig.text(), /! flash/);
});

Deno.test("a read-only session runs only commands that change nothing", async () => {
  const commands = [
    command({ name: "change", key: "Z", run: ["change"] }),
    command({ name: "look", key: "X", run: ["look"], read_only: true }),
  ];
  const { rig, started } = rigWith(commands, { readOnly: true });
  await rig.type("1");
  await rig.lines();
  await rig.type("Z");
  assert.match(await rig.text(), /change: off: read-only/);
  await rig.type("X");
  assert.deepEqual(started, [["look"]]);
});

Deno.test("a row has the name and the VM of its id as fields, unless it has its own", () => {
  assert.deepEqual(fieldsOf({ row: { id: "vcpu:ping/0", state: "waits" } }), {
    id: "vcpu:ping/0",
    state: "waits",
    name: "ping/0",
    vm: "vm:ping",
  });
  assert.deepEqual(fieldsOf({ row: { id: "ev:3", name: "CPU_ON", vm: null } }), { id: "ev:3", name: "CPU_ON", vm: null });
});

Deno.test("a field stays in its word, makes no option, and is missed by name", () => {
  const row = { id: "vm:a", name: "$(rm) `x` 'y' \"z\" ; & {id}", bad: "-rf", none: null, list: ["a", "b"] } as Row;
  const words = (run: readonly string[]) => withFields(run, row);
  assert.deepEqual(words(["p", "{name}", "{none}", "{list}", "{{id}", "a-{bad}"]), {
    words: ["p", row.name, "", '["a","b"]', "{id}", "a--rf"],
  });
  assert.deepEqual(words(["p", "--x={bad}"]), { words: ["p", "--x=-rf"] });
  assert.match((words(["p", "{bad}"]) as { problem: string }).problem, /"\{bad\}" would be the option "-rf"; put it after an option/);
  assert.match((words(["p", "{vcpu}"]) as { problem: string }).problem, /this row has no field \{vcpu\}; use one of id, name/);
  assert.equal((withFields(["p", "{id}"], undefined) as { problem: string }).problem, "{id} needs a selected row");
  assert.match((withFields(["p", "{id}"], { id: "a\0b" } as Row) as { problem: string }).problem, /NUL/);
});
