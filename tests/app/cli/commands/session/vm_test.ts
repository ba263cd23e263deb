import assert from "node:assert/strict";
import { Place } from "../../place.ts";
import { PATIENCE } from "../../../../support/patience.ts";

Deno.test("vm reset ends a VM and starts it anew; vm kill ends a VM, and the others continue", async () => {
  await using place = new Place();
  await place.up("one");
  await place.printed("pong");
  for (const option of ["-o", "--output"]) {
    const file = `${place.folder}/${option}.dtb`, { code, stderr } = await place.el2("vm", "dtb", "pong", option, file);
    assert.equal(code, 0, stderr);
    assert.equal(new DataView(Deno.readFileSync(file).buffer).getUint32(0), 0xd00d_feed);
  }
  {
    assert.equal((await place.el2("vm", "reset", "hello")).code, 0);
    const made = async () => (await place.json("vm", "timeline", "hello")).data.filter(({ msg }) => msg === "VM_ALLOCATE").length;
    for (const limit = Date.now() + PATIENCE; await made() < 2;) assert.ok(Date.now() < limit, "nothing is made anew");
    const { code } = await place.el2("console", "hello", "--send", "y", "--expect", "typed 'y'", "--timeout", "60s");
    assert.equal(code, 0);
    assert.equal((await place.json("show", "vm:hello")).data[0].exit, null, "its life before is over");
  }
  assert.equal((await place.el2("vm", "kill", "pong")).code, 0);
  const stopped = async () => (await place.json("vm", "ls")).data.some(({ id, state }) => id === "vm:pong" && state === "stopped");
  for (const limit = Date.now() + PATIENCE; !await stopped();) {
    assert.ok(Date.now() < limit, "pong does not stop");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const left = (await place.json("vm", "ls")).data.map(({ id, state, exit }) => [id, state, exit]);
  const running = (id: string) => [id, "running", null];
  assert.deepEqual(left, [
    running("vm:host"),
    running("vm:hello"),
    running("vm:ping"),
    ["vm:pong", "stopped", "forced"],
    running("vm:rm"),
  ]);
});
