import assert from "node:assert/strict";
import { Rig } from "./rig.ts";

Deno.test("W20: a click selects the row under it, :mouse off ends reports", async () => {
  const rig = new Rig();
  await rig.lines();
  await rig.type("\x1b[<0;6;13M"); // row 13 is the third of the tree, its heading above
  assert.match((await rig.inside())[12], /^> /);
  await rig.type(":mouse off\r");
  assert.deepEqual(rig.mouse, [false]);
});

Deno.test("two clicks at one place are Enter, two at different times are not", async () => {
  const rig = new Rig();
  await rig.keys("7");
  const row = (await rig.lines()).findIndex((line) => line.includes("rpc:214")) + 1;
  const click = `\x1b[<0;6;${row}M`;
  await rig.type(click);
  rig.time += 1000;
  await rig.type(click);
  assert.equal(rig.shown, "7");
  assert.doesNotMatch(await rig.text(), /from rpc:214 to/);
  rig.time += 100;
  await rig.type(click);
  assert.match(await rig.text(), /from rpc:214 to/);
});
