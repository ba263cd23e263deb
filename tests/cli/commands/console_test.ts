import assert from "node:assert/strict";
import { Place } from "../place.ts";

Deno.test("console --expect waits for what a guest says, --send types", async () => {
  await using place = new Place();
  await place.up("one");
  // On a busy machine the guests may not have been made yet.
  for (let tries = 0; tries < 50 && !(await place.el2("console", "hello")).stdout.startsWith("hello from EL1"); tries++);
  const { code, stdout } = await place.el2("console", "hello", "--send", "x", "--expect", "typed 'x'", "--timeout", "20s");
  assert.equal(code, 0);
  assert.equal(stdout, "typed 'x'\n");
  assert.match((await place.el2("console", "hello")).stdout, /^hello from EL1/);
});
