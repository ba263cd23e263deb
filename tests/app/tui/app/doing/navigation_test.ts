import assert from "node:assert/strict";
import { Rig } from "../../rig.ts";

Deno.test("W15: Enter on an id jumps, Backspace returns to the same row", async () => {
  const rig = new Rig();
  await rig.type("7");
  await rig.lines();
  await rig.press("enter");
  assert.match(await rig.text(), /= from rpc:214 to/);
  await rig.press("down", "down", "enter");
  assert.equal(rig.shown, "0");
  assert.match(await rig.text(), /why:37/);
  await rig.press("back");
  const back = await rig.text();
  assert.equal(rig.shown, "7");
  assert.match(back, /- Bytes rpc:214 -/);
  // To the same row, which is not where a list begins.
  await rig.type("2");
  await rig.lines();
  await rig.type("jj");
  await rig.press("enter");
  assert.match(await rig.text(), /= from vcpu:rt\/0 to/);
  await rig.press("down", "enter");
  assert.notEqual(rig.shown, "2");
  await rig.press("back");
  assert.equal(rig.shown, "2");
  assert.match(await rig.text(), /\n\|> T rt\/0/);
});

Deno.test("w goes to the reason, x to the events that name the object", async () => {
  const rig = new Rig();
  await rig.type("7");
  await rig.lines();
  await rig.type("w");
  assert.equal(rig.shown, "0");
  await rig.type("4");
  await rig.lines();
  await rig.type("x");
  assert.equal(rig.shown, "9");
});
