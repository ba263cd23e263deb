import assert from "node:assert/strict";
import { Place } from "../../place.ts";

Deno.test("state hash of a paused machine is the same twice, and another one after a step", async () => {
  await using place = new Place();
  await place.up("one");
  await place.json("pause");
  const hash = async () => JSON.stringify((await place.json("state", "hash")).data);
  const first = await hash();
  assert.equal(await hash(), first);
  await place.json("vcpu", "step", "ping/0");
  assert.notEqual(await hash(), first);
});
