// `el2 mem check` of a machine whose invariants hold, and of one where they do not.

import assert from "node:assert/strict";
import { SessionHub } from "../../../../../src/session/control/hub.ts";
import { SessionServer } from "../../../../../src/session/control/server.ts";
import type { SessionClient } from "../../../../../src/session/worker/client.ts";
import type { GuestSystem } from "../../../../../src/session/assembly/system/guest-system.ts";
import { demoSystem, runUntil } from "../../../../session/inspection/system.ts";
import { Place } from "../../place.ts";
import { el2 } from "../../program.ts";
import { MiB } from "../../../../../src/kit/support/values/sizes.ts";

/** A session of a paused machine in this process, which answers queries. */
function standing(system: GuestSystem): SessionClient {
  const machine: SessionClient = {
    send(request) {
      if (request.kind !== "query") return;
      const answer = system.inspector.answer(request.query);
      queueMicrotask(() => machine.onEvent({ kind: "answer", id: request.id, answer }));
    },
    onEvent() {},
    close() {},
  };
  return machine;
}

Deno.test("W50: mem check of a session is 0, and 1 with the rule once an invariant is broken", async () => {
  const folder = await Deno.makeTempDir({ prefix: "el2-test-" });
  const system = await demoSystem();
  runUntil(system, 5e8);
  const session = { name: "test", what: "demo", started: new Date().toISOString(), logs: undefined };
  const server = await SessionServer.listen(new SessionHub(standing(system), session, MiB), `${folder}/s.sock`);
  try {
    const check = () => el2("mem", "check", "--json", "--session", `${folder}/s.sock`);
    const whole = await check();
    assert.deepEqual([whole.code, JSON.parse(whole.stdout).data], [0, []], whole.stderr);
    // A page of one VM that another one has mapped too, which nobody has recorded.
    const spaceOf = (name: string) =>
      [...system.hypervisor.addressSpaces.values()].find(({ vmid }) => system.hypervisor.names.vm(vmid) === name)!;
    const stolen = spaceOf("pong").stage2.lookup(0x8000_0000)!;
    spaceOf("ping").stage2.map(0x9000_0000, stolen.pa, 0x1000, stolen.flags);
    const broken = await check();
    assert.equal(broken.code, 1, broken.stdout);
    assert.match(JSON.parse(broken.stdout).data[0].rule, /breaks the invariant/);
  } finally {
    server.close();
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("mem write writes RAM, also over the end of a page, and what is not RAM is refused whole", async () => {
  await using place = new Place();
  await place.up("one");
  await place.json("pause");
  const wrote = await place.el2("mem", "write", "ipa:ping/0x803effe", "text:hello");
  assert.equal(wrote.code, 1, "there is a GIC");
  assert.equal((await place.el2("mem", "write", "ipa:ping/0x80300ffe", "text:hello")).code, 0);
  const [{ ascii }] = (await place.json("mem", "read", "ipa:ping/0x80300ffe", "5")).data;
  assert.equal(ascii, "hello");
  // A bare address is a physical one.
  assert.equal((await place.el2("mem", "write", "0x40000000", "0011")).code, 0);
  assert.match(String((await place.json("mem", "read", "pa:0x40000000", "2")).data[0].bytes), /^00 11/);
  // A symbol and a virtual address are places, too.
  assert.equal((await place.el2("mem", "write", "ping:ticks", "0a0b")).code, 0);
  const [{ id, bytes }] = (await place.json("mem", "read", "ping:ticks", "2")).data;
  assert.equal(bytes, "0a 0b");
  assert.equal((await place.json("mem", "owner", "ping:ticks")).data[0].owner, "vm:ping");
  const [{ address }] = (await place.json("symbols", "ping", "name=ticks")).data;
  assert.equal((await place.json("mem", "read", `va:ping/${address}`, "2")).data[0].id, id);
  const over = await place.el2("mem", "read", "ping:ticks", "4097");
  assert.deepEqual([over.code, over.stderr], [1, "el2: 4097 bytes at ping:ticks are in two pages; ask for each page\n"]);
  const none = await place.el2("mem", "write", "0x9000000", "00");
  assert.deepEqual([none.code, /not RAM/.test(none.stderr)], [1, true], none.stderr);
});
