import assert from "node:assert/strict";
import { Place } from "../../place.ts";

Deno.test("break stops the machine at an event or before an instruction, vcpu step executes one, resume lets it continue", async () => {
  await using place = new Place();
  await place.up("one");
  const hit = await place.json("break", "kind=hvc name=msgqueue_send vm=ping", "--wait", "--timeout", "60s");
  assert.equal(hit.schema, "el2.stop.ls/1");
  assert.match(String(hit.data[0].last), /^ev:\S+ vcpu:ping\/0 hvc msgqueue_send /);
  const now = async () => (await place.json("break", "--list")).at.insn;
  const at = await now();
  assert.equal(await now(), at, "virtual time has stopped");
  // --wait waits for a paused machine.
  assert.equal((await place.el2("break", "--wait")).code, 0);
  await place.json("break", "--remove", "all");
  const executed = async () => Number((await place.json("show", "vcpu:ping/0")).data[0].instructions);
  const before = await executed();
  const stepped = await place.json("vcpu", "step", "ping/0", "--count", "3");
  assert.deepEqual(stepped.data.map(({ id }) => id), ["vcpu:ping/0"]);
  assert.equal(await executed(), before + 3);
  const pc = String(stepped.data[0].pc);
  assert.equal((await place.el2("break", "--at", `ping:${pc}`)).code, 0);
  await place.json("resume");
  const there = await place.json("break", "--wait");
  assert.match(String(there.data[0].last), new RegExp(`^vcpu:ping/0 at ${pc}`));
  const gdb = await place.el2("gdb", "hello");
  assert.deepEqual([gdb.code, /vm:ping has breakpoints of el2 break/.test(gdb.stderr)], [1, true]);
  await place.json("break", "--remove", "stop:2");
  await place.json("resume");
  await place.json("pause");
  const wrong = await place.el2("break", "kynd=hvc");
  assert.deepEqual([wrong.code, /^el2: break: no field "kynd"; did you mean "kind".*\n {2}kynd=hvc\n {2}\^\n$/.test(wrong.stderr)], [
    2,
    true,
  ]);
  const nowhere = await place.el2("break", "--at", "hello");
  assert.deepEqual([nowhere.code, /^el2: "hello" is not a place in a VM; use for example hello:main, /.test(nowhere.stderr)], [1, true]);
  const late = await place.el2("vcpu", "step", "ping/0", "--count", "1000000", "--timeout", "100ms");
  assert.deepEqual([late.code, late.stderr], [4, "el2: ping/0 has not executed 1000000 instructions within 0.1 s\n"]);
  await place.json("break", "--remove", "all");
  await place.json("resume");
});
