import assert from "node:assert/strict";
import { Place } from "../../place.ts";

Deno.test("vcpu ls, show, regs and stack answer about one vCPU; step executes as many instructions as it is told", async () => {
  await using place = new Place();
  await place.up("one");
  const [vcpu] = (await place.json("vcpu", "ls", "ping")).data;
  assert.equal(vcpu.id, "vcpu:ping/0");
  await place.json("pause");
  const [shown] = (await place.json("show", "vcpu:ping/0")).data;
  const pc = (await place.json("vcpu", "regs", "ping/0")).data.find(({ name }) => name === "pc");
  assert.equal(BigInt(String(pc?.value)), BigInt(String(shown.pc)));
  assert.equal(BigInt(String((await place.json("vcpu", "stack", "ping/0")).data[0].pc)), BigInt(String(shown.pc)));
  const [stepped] = (await place.json("vcpu", "step", "ping/0", "--count", "3")).data;
  assert.equal(Number(stepped.instructions), Number(shown.instructions) + 3);
  const none = await place.el2("show", "vcpu:ping/7");
  assert.deepEqual([none.code, none.stdout], [1, ""]);
});

Deno.test("vcpu set writes a register of a paused machine, and names those that it can", async () => {
  await using place = new Place();
  await place.up("one");
  await place.json("pause");
  assert.equal((await place.el2("vcpu", "set", "ping/0", "x7", "0x1234567890")).code, 0);
  const rows = (await place.json("vcpu", "regs", "ping/0", "--filter", "name=x7")).data;
  assert.deepEqual(rows.map(({ value }) => value), ["0x0000001234567890"]);
  const wrong = await place.el2("vcpu", "set", "ping/0", "vbar", "0");
  assert.deepEqual([wrong.code, /vbar is not a register that can be set; use x0 to x30/.test(wrong.stderr)], [1, true], wrong.stderr);
});
