// `el2 mem check` of a machine whose invariants hold, and of one where they do not.

import assert from "node:assert/strict";
import { SessionHub } from "../../../src/control/hub.ts";
import { SessionServer } from "../../../src/control/server.ts";
import type { SessionClient } from "../../../src/session/client.ts";
import type { GuestSystem } from "../../../src/assembly/system/guest-system.ts";
import { demoSystem, runUntil } from "../../inspection/system.ts";
import { el2 } from "../program.ts";
import { MiB } from "../../../src/support/sizes.ts";

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
