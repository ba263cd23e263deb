// Events over time on screen 9, and rates of the machine on a wide overview.

import assert from "node:assert/strict";
import { roleOf } from "../../../src/app/tui/terminal/color.ts";
import { PHONE_SAMPLE, phoneAnswer, wholeRow } from "./phone.ts";
import { Rig } from "./rig.ts";

const event = (id: number, t: number, kind: string, refused = false) =>
  wholeRow("events", { id: `ev:${id}`, t: String(t), end: String(t), kind, name: kind, text: `${kind} ${id}`, refused });

/** A rig with these events. */
function rigOf(width: number, height: number, rows: ReturnType<typeof event>[]): Rig {
  const rig = new Rig(width, height, { ascii: false }, "direct");
  const counts = rows.map((row) => wholeRow("density", { ...row, events: 1, refused: Number(row.refused) }));
  rig.answer = (query) => {
    const answer = phoneAnswer(query), given = { "events": rows, "density": counts };
    return query.table === "events" || query.table === "density" ? { ...answer, after: undefined, rows: given[query.table] } : answer;
  };
  return rig;
}

Deno.test("the density has a row for each class of events, refused ones in their own, and what a column stands for", async () => {
  const rows = [event(1, 1e9, "hvc"), event(2, 1.5e9, "virq"), event(3, 3e9, "hvc", true), event(4, 3e9, "trap")];
  const rig = rigOf(120, 36, rows);
  await rig.type("9");
  const lines = await rig.lines();
  assert.match(lines[2], /Density/);
  assert.match(lines[3], /calls .*▇ *\d.*\/s │$/);
  assert.match(lines[4], /interrupts .*▇ /);
  assert.match(lines[5], /machine .*▇ /);
  assert.match(lines[6], /refused .*▇ +1 │$/);
  assert.match(lines[7], /a column is 50\.0 ms/);
  const bad = rig.screen.cells(6).filter(({ foreground }) => roleOf(foreground) === "bad").map(({ text }) => text).join("");
  assert.match(bad, /▇.*1$/);
  // The newest are at the right.
  assert.equal(lines[5].indexOf("▇"), lines[6].indexOf("▇"));
  assert.ok(lines[4].indexOf("▇") < lines[5].indexOf("▇"));
});

Deno.test("a click on the density selects the first event from that time on, and follows no more", async () => {
  const rows = Array.from({ length: 60 }, (_, index) => event(index, index * 1e8, "hvc"));
  const rig = rigOf(120, 36, rows);
  await rig.type("9");
  const lines = await rig.lines();
  const columns = [...lines[3]].flatMap((cell, x) => cell === "▇" ? [x] : []);
  assert.ok(columns.length > 0);
  const x = columns[10];
  await rig.type(`\x1b[<0;${x + 1};4M\x1b[<0;${x + 1};4m`);
  rig.time += 1000;
  rig.sample();
  const text = await rig.text();
  const selected = Number(/▌ +(\d\.\d+) /.exec(text)![1]);
  const wanted = Number(rows.find(({ t }) => Number(t) / 1e9 >= selected)!.t) / 1e9;
  assert.equal(selected, wanted);
  assert.ok(selected > 0.3 && selected < 2, `${selected}`);
  assert.match(text, /G follows/);
  assert.match(text, /Events/, "the list keeps the keys");
});

Deno.test("without events the density says how they come; low terminals have none", async () => {
  const rig = rigOf(120, 36, []);
  await rig.type("9");
  assert.match(await rig.text(), /No event yet\.[^]*recorded while this screen is open/);
  const low = rigOf(80, 24, []);
  await low.type("9");
  assert.doesNotMatch(await low.text(), /Density/);
});

Deno.test("a wide overview has rates of exits, interrupts, messages, RPC and refusals a second", async () => {
  const rig = new Rig(200, 60, { ascii: false }, "direct");
  await rig.lines();
  for (let sample = 0; sample < 3; sample++) {
    rig.time += 2100;
    rig.sample();
    await rig.lines();
  }
  rig.time += 200;
  rig.apply({ kind: "sample", sample: { ...PHONE_SAMPLE, reasons: 4 } });
  const text = await rig.text();
  for (
    const [name, value] of [["exits", "3 045"], ["interrupts", "\\d[\\d ]+"], ["messages", "\\d+"], ["RPC", "\\d+"], ["refusals", "3"]]
  ) {
    assert.match(text, new RegExp(`│ ${name} +${value} `), name);
  }
});
