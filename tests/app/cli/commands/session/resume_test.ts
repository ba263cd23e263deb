import assert from "node:assert/strict";
import { Place } from "../../place.ts";
import { PATIENCE } from "../../../../support/patience.ts";

Deno.test("resume lets virtual time continue", async () => {
  await using place = new Place();
  await place.up("one");
  const { at } = await place.json("pause");
  await place.json("resume");
  const now = async () => BigInt((await place.json("vcpu", "ls")).at.ns);
  for (const limit = Date.now() + PATIENCE; await now() <= BigInt(at.ns);) assert.ok(Date.now() < limit, "time has stopped");
  assert.doesNotMatch((await place.el2("ls")).stdout, /paused/);
});
