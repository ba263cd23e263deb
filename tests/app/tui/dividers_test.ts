// Dividers between panes: the mouse drags them, keys move them, and they stay where they were put.

import assert from "node:assert/strict";
import { parseUiState } from "../../../src/app/tui/app/services/ui-state.ts";
import { Rig } from "./rig.ts";

/** A report of the left button at a cell, from 0: pressed, moved while it is down, or released. */
function mouse(what: "press" | "drag" | "release", x: number, y: number): string {
  return `\x1b[<${what === "drag" ? 32 : 0};${x + 1};${y + 1}${what === "release" ? "m" : "M"}`;
}

/** Row of the title that begins so. */
const rowOf = (lines: string[], title: RegExp) => lines.findIndex((line) => title.test(line));

Deno.test("the mouse drags the line between two panes, no nearer than both can be read, and nothing once it is released", async () => {
  const rig = new Rig(120, 36);
  await rig.type("2");
  const list = /[=-] vCPUs/, lower = /[=-] Registers/;
  const before = rowOf(await rig.lines(), lower);
  await rig.type(mouse("press", 40, before) + mouse("drag", 40, before - 2));
  assert.equal(rowOf(await rig.lines(), lower), before - 2);
  await rig.type(mouse("drag", 40, 1));
  const top = rowOf(await rig.lines(), list);
  assert.equal(rowOf(await rig.lines(), lower), top + 3);
  await rig.type(mouse("drag", 40, 35));
  assert.equal(rowOf(await rig.lines(), lower), 34 - 2 * 3);
  await rig.type(mouse("drag", 40, before + 2) + mouse("release", 40, before + 2) + mouse("drag", 40, before - 2));
  assert.equal(rowOf(await rig.lines(), lower), before + 2);
  // A drag elsewhere moves nothing.
  await rig.type(mouse("press", 40, before - 3) + mouse("drag", 40, before - 8));
  assert.equal(rowOf(await rig.lines(), lower), before + 2);
  await rig.type("\x17=");
  assert.equal(rowOf(await rig.lines(), lower), before);
});

Deno.test("the mouse drags the column between two panes, also over ssh and tmux: by SGR reports", async () => {
  const memory = new Rig(120, 36);
  await memory.type("4");
  const page = async () => (await memory.lines())[2].search(/[=-] Page/);
  const at = await page();
  await memory.type(mouse("press", at - 1, 5) + mouse("drag", at + 9, 5));
  assert.equal(await page(), at + 10);
  await memory.type(mouse("drag", 0, 5) + mouse("release", 0, 5));
  assert.equal(await page(), 24 + 1, "no nearer than the list can be read");
});

Deno.test("ctrl-w with arrows moves the divider in their direction, and sizes survive leave and attach", async () => {
  const rig = new Rig(120, 36);
  await rig.type("4");
  const places = async (one: Rig) => {
    const lines = await one.lines();
    return [lines[2].search(/[=-] Page/), rowOf(lines, /[=-] Zoom/)];
  };
  const [column, row] = await places(rig);
  await rig.type("\x17\x1b[C");
  const [wider, same] = await places(rig);
  assert.ok(wider > column && same === row, `${wider} ${same}`);
  await rig.type("\x17\x1b[A");
  const [, higher] = await places(rig);
  assert.ok(higher < row, `${higher}`);
  const again = new Rig(120, 36, { state: parseUiState(JSON.stringify(rig.app.state)) });
  assert.deepEqual(await places(again), [wider, higher]);
  await again.type("9z\x17\x1b[C");
  assert.match(await again.text(), /there is one pane; nothing to resize/);
});

Deno.test("however small the terminal and wherever dividers were put, no pane is drawn over another", async () => {
  const rig = new Rig(200, 60);
  await rig.lines();
  // Every divider at its ends, in both layouts of the overview.
  for (const [x, y, toX, toY] of [[99, 10, 199, 10], [10, 39, 10, 2]] as const) {
    await rig.type(mouse("press", x, y) + mouse("drag", toX, toY));
  }
  for (const size of [[200, 60], [120, 36], [80, 24], [60, 16]] as const) {
    const lines = await rig.lines(...size);
    assert.equal(
      lines.filter((line) => /^\+?[=-] /.test(line)).length,
      size[1] >= 30 ? 3 : 2,
      `${size}\n${lines.join("\n")}`,
    );
  }
});
