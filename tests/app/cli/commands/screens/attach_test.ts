import assert from "node:assert/strict";
import { Place } from "../../place.ts";

Deno.test("attach needs a terminal, and names what does without", async () => {
  await using place = new Place();
  await place.up("one");
  const { code, stdout, stderr } = await place.el2("attach", "one");
  assert.deepEqual([code, stdout], [2, ""]);
  assert.match(stderr, /needs a terminal.*el2 logs --session one/);
});
