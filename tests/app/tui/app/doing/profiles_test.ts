// The flame graph of the run so far.

import assert from "node:assert/strict";
import { flameBoxes, flameOf } from "../../../../../src/app/tui/panes/flame.ts";
import type { Profiler } from "../../../../../src/app/tui/app/doing/profiles.ts";
import { Rig, settle } from "../../rig.ts";

const STACKS = flameOf([
  [["ping", "main", "play", "send"], 30],
  [["ping", "main", "play", "receive"], 20],
  [["ping", "main", "print"], 10],
  [["debian", "start_kernel"], 40],
]);
const WAITS = flameOf([[["ping", "vcpu:ping/0", "irq 27"], 3e9]]);

/** A profiler that has these, once `end` is called. */
function profiler() {
  const asked: { by: string; end: () => void; tell: (done: number, all?: number) => void; signal: AbortSignal }[] = [];
  const one: Profiler = (by, _save, tell, signal) =>
    new Promise((resolve) => {
      const end = () => resolve(by === "process" ? { problem: { what: "the run is too long" } } : { root: by === "wait" ? WAITS : STACKS });
      asked.push({ by, end, tell, signal });
    });
  return { asked, one };
}

Deno.test("boxes are as wide as their shares, the widest first, and fill a row without gaps", () => {
  const boxes = flameBoxes([STACKS], 100);
  assert.deepEqual(boxes.filter(({ row }) => row === 1).map(({ frame, x, width }) => [frame.name, x, width]), [["ping", 0, 60], [
    "debian",
    60,
    40,
  ]]);
  assert.deepEqual(boxes.filter(({ row }) => row === 3).map(({ frame, x, width }) => [frame.name, x, width]), [["play", 0, 50], [
    "print",
    50,
    10,
  ]]);
  const narrow = flameBoxes([STACKS], 3).filter(({ row }) => row === 1);
  assert.equal(narrow.reduce((sum, { width }) => sum + width, 0), 3);
});

Deno.test(":flame counts with a percentage, and shows the graph; keys select, Enter zooms, Backspace and Esc go out", async () => {
  const { asked, one } = profiler();
  const rig = new Rig(120, 36, { profiler: one });
  await rig.type(":flame\r");
  assert.match(await rig.text(), /flame graph: saving the run; ctrl-c cancels/);
  asked[0].tell(120, 1000);
  assert.match(await rig.text(), /flame graph: 12 %; ctrl-c cancels/);
  asked[0].end();
  await settle();
  let text = await rig.text();
  assert.match(text, /= Flame graph by function 100 samples =/);
  assert.match(text, /\|ping +\|debian +/);
  assert.match(text, /\|main +\|start_kernel/);
  await rig.type("jjj");
  text = await rig.text();
  assert.match(text, /ping > main > play +\|\n\| 50 % of all {2}50 samples/);
  await rig.type("l");
  assert.match(await rig.text(), /ping > main > print +\|\n\| 10 % of all/);
  await rig.type("h\r");
  text = await rig.text();
  assert.doesNotMatch(text, /debian|print/, "the zoomed box has all columns");
  assert.match(text, /\|send +\|receive/);
  await rig.press("back");
  assert.match(await rig.text(), /print/);
  await rig.press("esc");
  await rig.press("esc");
  assert.match(await rig.text(), /Flame graph[^]*debian/, "out to all VMs");
  await rig.press("esc");
  await rig.press("esc");
  assert.doesNotMatch(await rig.text(), /Flame graph/);
});

Deno.test("a click selects a box, a second one zooms into it, and the wheel goes to callees and back", async () => {
  const { asked, one } = profiler();
  const rig = new Rig(120, 36, { profiler: one });
  await rig.type(":flame\r");
  asked[0].end();
  await settle();
  const click = async (name: string) => {
    const lines = await rig.lines(), y = lines.findIndex((line) => line.includes(`|${name} `));
    await rig.type(`\x1b[<0;${lines[y].indexOf(`|${name} `) + 2};${y + 1}M\x1b[<0;2;${y + 1}m`);
    return await rig.text();
  };
  assert.match(await click("play"), /ping > main > play +\|\n\| 50 % of all[^]*/);
  assert.match(await click("start_kernel"), /debian > start_kernel +\|\n\| 40 % of all/);
  await click("play");
  const lines = await rig.lines(), y = lines.findIndex((line) => line.includes(">play "));
  await rig.type(`\x1b[<0;${lines[y].indexOf(">play ") + 2};${y + 1}M`);
  assert.doesNotMatch(await rig.text(), /debian|print/, "the zoomed box has all columns");
  await rig.type("\x1b[<65;10;10M");
  assert.match(await rig.text(), /ping > main > play > send/);
  await rig.type("\x1b[<64;10;10M");
  assert.doesNotMatch(await rig.text(), /play > send/);
});

Deno.test("at 80 columns the keys of the graph are whole", async () => {
  const { asked, one } = profiler(), rig = new Rig(80, 24, { profiler: one });
  await rig.type(":flame\r");
  asked[0].end();
  await settle();
  assert.match(
    await rig.text(),
    /Enter zoom {2}Backspace out {2}v view {2}Esc close[^]*\n h j k l select; v: by function, line, process, wait(?:\n|$)/,
  );
});

Deno.test("v shows the views, each counted once; ctrl-c cancels a view and leaves the graph, what is wrong is said", async () => {
  const { asked, one } = profiler();
  const rig = new Rig(100, 30, { profiler: one });
  await rig.type(":flame\r");
  asked[0].end();
  await settle();
  await rig.type("v");
  asked[1].tell(5, 10);
  assert.match(await rig.text(), /counting by line: 50 %; ctrl-c cancels/);
  await rig.press("ctrl-c");
  assert.ok(asked[1].signal.aborted);
  assert.match(await rig.text(), /Flame graph by function/);
  await rig.type("v");
  asked[2].end();
  await settle();
  assert.match(await rig.text(), /Flame graph by line 100 instructions/);
  await rig.type("v");
  asked[3].end();
  await settle();
  assert.match(await rig.text(), /Flame graph by line/);
  assert.deepEqual(asked.map(({ by }) => by), ["function", "line", "line", "process"]);
  await rig.press("esc");
  assert.match(await rig.text(), /by process: the run is too long/);
});

Deno.test("a session whose run cannot be repeated says so, and the graph fits every size", async () => {
  const alone = new Rig();
  await alone.type(":flame");
  assert.match(await alone.text(), /flame graph +off: runs cannot be repeated here/);
  const { asked, one } = profiler();
  const rig = new Rig(80, 24, { profiler: one });
  await rig.type(":flame\r");
  asked[0].end();
  await settle();
  for (const [width, height] of [[80, 24], [20, 8], [300, 90]] as const) {
    const lines = await rig.lines(width, height);
    assert.equal(lines.length, height);
    await rig.type("jl");
  }
});
