// How screens use their room: panes have the rows that their neighbors do not need, wide terminals
// show more panes, and the selection begins on guests.

import assert from "node:assert/strict";
import type { Pane } from "../../../src/app/tui/panes/pane.ts";
import { sharedRows } from "../../../src/app/tui/screens/screen-model.ts";
import { phoneAnswer } from "./phone.ts";
import { Rig } from "./rig.ts";

const pane = (needs?: number) => ({ needs }) as Pane;
const rows = (upper?: number, ...lower: (number | undefined)[]) =>
  sharedRows({ x: 0, y: 0, width: 100, height: 40, boxed: true }, 0.5, pane(upper), lower.map((needs) => pane(needs)));

Deno.test("a pane has rows that its neighbor does not need, and never takes what that needs", () => {
  assert.equal(rows(100, 100), 20, "both need more: the share");
  assert.equal(rows(100, 2), 35, "the lower one keeps five");
  assert.equal(rows(100, 10), 28);
  assert.equal(rows(8, 100), 10, "the upper one its rows and its frame");
  assert.equal(rows(8, 22), 16, "no more than the lower one needs");
  assert.equal(rows(1, 1), 20, "neither needs more");
  assert.equal(rows(100, 2, 30), 20, "of two below the one that needs more counts");
  assert.equal(rows(undefined, undefined), 20);
});

async function screen(key: string, width = 200, height = 60): Promise<{ rig: Rig; lines: string[] }> {
  const rig = new Rig(width, height, { ascii: false }, "direct");
  await rig.type(key);
  await rig.lines();
  return { rig, lines: await rig.lines() };
}

Deno.test("at 200x60 the path of an interrupt is to the right of the list, the graph of a capability too, with refused ones below", async () => {
  const irq = (await screen("3")).lines;
  assert.match(irq[2], /Interrupts .*Path /);
  const rights = (await screen("5")).lines;
  assert.match(rights[2], /Capabilities .*Other holders/);
  assert.match(rights.join("\n"), /│ H host\/0x0 ─+ Send ─+▸ mq:0 /);
  assert.match(rights.join("\n"), /Last use refused/);
  const rpc = (await screen("7")).lines;
  assert.match(rpc[2], /Requests .*Bytes /);
  const memory = (await screen("4")).lines.join("\n");
  assert.match(memory, /Memory parcels .*Changes /);
  for (const key of ["3", "5", "7", "4"]) assert.doesNotMatch((await screen(key, 120, 36)).lines.join("\n"), /Last use refused|─ Changes/);
});

Deno.test("the selection begins on a guest, not on the host or the Resource Manager", async () => {
  for (const [key, table] of [["3", "irq.ls"], ["5", "caps.ls"]] as const) {
    const rig = new Rig(120, 36, { ascii: false }, "direct");
    rig.answer = (query) => {
      const answer = phoneAnswer(query);
      if (query.table !== table) return answer;
      const of = (vm: string) => answer.rows.map((row) => ({ ...row, id: String(row.id).replace(/:\w+\//, `:${vm}/`), vm: `vm:${vm}` }));
      return { ...answer, rows: [...of("host"), ...of("rm"), ...of("debian")] };
    };
    await rig.type(key);
    assert.match(await rig.text(), /▌[ !]D debian\//, key);
  }
});

Deno.test("what a pane needs is known once it is drawn: another frame follows, and no third", async () => {
  let changed = 0;
  const rig = new Rig(120, 36, { ascii: false }, "direct");
  Object.assign(rig.app.port, { changed: () => changed++ });
  await rig.type("5");
  await rig.lines();
  const before = await rig.lines();
  await rig.type("4");
  await rig.type("5");
  changed = 0;
  for (let frame = 0; frame < 6; frame++) {
    rig.app.draw(rig.screen);
    await Promise.resolve();
  }
  assert.deepEqual(rig.screen.toLines(), before);
  assert.ok(changed <= 1, `${changed} frames wanted`);
});
