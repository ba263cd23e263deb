import assert from "node:assert/strict";
import { Place } from "../../place.ts";

Deno.test("on executes instructions of a paused machine, and goes to the next event of a filter", async () => {
  await using place = new Place();
  await place.up("one");
  const { at } = await place.json("pause");
  const moved = await place.el2("on", "--by", "1000", "--json");
  assert.equal(moved.code, 0, moved.stderr);
  assert.equal(JSON.parse(moved.stdout).insn, String(BigInt(at.insn) + 1000n));
  const event = await place.el2("on", "--event", "kind=hvc vm=ping", "--json");
  assert.equal(event.code, 0, event.stderr);
  assert.match(JSON.parse(event.stdout).reached, /ping/);
  assert.equal((await place.el2("on", "--by", "1", "--event", "kind=hvc")).code, 2);
  const never = await place.el2("on", "--event", "kind=hvc name=nothing", "--timeout", "50ms");
  assert.deepEqual([never.code, never.stdout], [4, ""], never.stderr);
  // It is paused on its way.
  const late = await place.json("vm", "ls");
  assert.ok(BigInt(late.at.insn) > BigInt(JSON.parse(event.stdout).insn));
  assert.equal((await place.json("vm", "ls")).at.insn, late.at.insn);
});
