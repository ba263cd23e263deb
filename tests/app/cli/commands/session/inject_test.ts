import assert from "node:assert/strict";
import { Place } from "../../place.ts";

Deno.test("inject adds rules, lists them with what they did, and removes them", async () => {
  await using place = new Place();
  await place.up("one");
  const [rule] = (await place.json("inject", "virq vm=pong nth=1 -> lose")).data;
  assert.deepEqual([rule.id, rule.rule], ["inject:1", "virq vm=pong nth=1 -> lose"]);
  assert.deepEqual((await place.json("inject", "--list")).data.map(({ id }) => id), ["inject:1"]);
  assert.deepEqual((await place.json("inject", "--remove", "inject:1")).data, []);
  assert.equal((await place.el2("inject", "--remove", "inject:1")).code, 1);
  const wrong = await place.el2("inject", "rpc mgs=MEM_LEND -> NOMEM");
  assert.deepEqual([wrong.code, /mgs/.test(wrong.stderr)], [2, true]);
});
