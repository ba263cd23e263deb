import assert from "node:assert/strict";
import { Place } from "../place.ts";

Deno.test("pause stops virtual time, and is no error where the machine is paused already", async () => {
  await using place = new Place();
  await place.up("one");
  const { at } = await place.json("pause");
  assert.deepEqual((await place.json("vcpu", "ls")).at, at);
  assert.deepEqual((await place.json("pause")).at, at);
  assert.match((await place.el2("ls")).stdout, /paused/);
});
