// `C`: all consoles in one, line by line.

import assert from "node:assert/strict";
import { textBytes } from "../../../src/app/tui/terminal/keys.ts";
import { Rig } from "./rig.ts";

const output = (rig: Rig, console: string, text: string) => rig.apply({ kind: "console", console, bytes: textBytes(text) });

/** The rows of the console's pane that say something, without blanks at their ends. */
async function shown(rig: Rig): Promise<string[]> {
  // Other panes are at its right.
  const lines = (await rig.lines()).map((line) => line.split(/\|\||\+\+|\|\+/)[0].replace(/^\|/, ""));
  const start = lines.findIndex((line) => /^\+[=-] Console/.test(line));
  const end = lines.findIndex((line, row) => row > start && line.startsWith("+"));
  return lines.slice(start, end).map((line) => line.replace(/^ /, "").trimEnd()).filter(Boolean);
}

Deno.test("C shows the lines of all consoles in their order, each behind its VM's name, from what came before it on", async () => {
  const rig = new Rig(120, 36);
  output(rig, "rt", "tick 1\r\nti");
  output(rig, "debian", "root\r\n");
  output(rig, "rt", "ck 2\r\n");
  await rig.type("C");
  const lines = await shown(rig);
  assert.match(lines[0], /^\+= Consoles all =+ o follows =$/);
  assert.deepEqual(lines.slice(-3), ["rt    | tick 1", "debian| debian login: root", "rt    | tick 2"]);
  output(rig, "rt", "tick 3\r\n");
  assert.equal((await shown(rig)).at(-1), "rt    | tick 3");
  await rig.type("C");
  assert.match((await shown(rig))[0], /= Console D debian =/);
});

Deno.test("an unfinished line shows once nothing more comes, and continues in place if no other line came between", async () => {
  const rig = new Rig(120, 36);
  await rig.type("C");
  output(rig, "rt", "half");
  rig.sample();
  rig.sample();
  assert.equal((await shown(rig)).at(-1), "rt    | half");
  output(rig, "rt", " and whole\r\n");
  assert.equal((await shown(rig)).at(-1), "rt    | half and whole");
  output(rig, "rt", "$ ");
  rig.sample();
  rig.sample();
  output(rig, "debian", "between\r\n");
  output(rig, "rt", "ls\r\n");
  assert.deepEqual((await shown(rig)).slice(-3), ["rt    | $", "debian| between", "rt    | ls"]);
});

Deno.test("no sequence of a guest writes over another's line, whole or in pieces; colors stay", async () => {
  const rig = new Rig(120, 36);
  await rig.type("C");
  output(rig, "debian", "safe\r\n");
  output(rig, "rt", "\x1b[2Jone\x1b[1;1Htwo\x1b]0;title\x07\x1b[3");
  output(rig, "rt", "1mred\x1b[0m\x1b[A\b\x1b7\u009b2J\r\n");
  output(rig, "rt", "10%\r20%\r\n");
  assert.deepEqual((await shown(rig)).slice(-4), ["debian| debian login: safe", "rt    | onetwored2J", "rt    | 10%", "rt    | 20%"]);
  assert.match(rig.frame(), /\x1b\[[0-9;]*31m?[^\x1b]*red/);
});

Deno.test("it scrolls, is searched and follows as a console does; choosing a console leaves it", async () => {
  const rig = new Rig(120, 36);
  for (let i = 0; i < 100; i++) output(rig, i % 2 ? "rt" : "debian", `line ${i}\r\n`);
  await rig.type("C");
  await rig.lines();
  await rig.type("kkk");
  output(rig, "rt", "new\r\n");
  await rig.lines();
  assert.match((await shown(rig))[0], /4 rows back {2}1 new, G follows/);
  await rig.type("G");
  assert.match((await shown(rig))[0], /follow/);
  await rig.type("/RT    | line 5\r");
  const found = await rig.text();
  assert.match(found, /"RT {4}\| line 5" 6 of 6/);
  assert.match(found, /rt {4}\| line 59/);
  await rig.type("n");
  assert.match(await rig.text(), /5 of 6/);
  await rig.press("esc");
  rig.sample();
  assert.match((await shown(rig))[0], /Consoles all .* follows/);
  await rig.type("n");
  assert.match((await shown(rig))[0], /Console T rt/);
  await rig.type("Cc");
  assert.match((await shown(rig))[0], /KEYS GO TO THE GUEST/);
});

Deno.test("what it keeps is bounded: the oldest goes", async () => {
  const rig = new Rig(120, 36);
  const line = `${"x".repeat(98)}\r\n`;
  output(rig, "debian", "the first\r\n");
  for (let i = 0; i < 1024; i++) output(rig, "rt", line.repeat(12));
  await rig.type("C");
  await rig.lines();
  await rig.type("/the first\r");
  assert.match(await rig.text(), /is not in the scrollback/);
});
