import assert from "node:assert/strict";
import { Rig } from "./rig.ts";

Deno.test("f stops following and follows again; a list of what there is does not follow", async () => {
  const rig = new Rig();
  await rig.type("9");
  assert.match(await rig.text(), /= Events =+ o follows/);
  await rig.type("f");
  assert.match(await rig.text(), /= Events =+ G follows/);
  await rig.type("f");
  assert.match(await rig.text(), /= Events =+ o follows/);
  await rig.type("2f");
  assert.match(await rig.text(), /there is nothing to follow/);
});
