// A guest that waits for another VM in vain is told what that VM does instead; one whose other end
// may still act is healthy, whenever one asks.

import assert from "node:assert/strict";
import { rows, runUntil } from "../session/inspection/system.ts";
import { Random } from "../support/random.ts";
import { LONG } from "../support/long.ts";
import { testBroken, testHealthy } from "./class-cases.ts";
import { verdictOn } from "./class-guests.ts";
import { assertHealthy, runHealthy } from "./healthy.ts";
import { BROKEN_PEERS, guests, HEALTHY_PEERS, peer } from "./peers.ts";

testBroken(guests, BROKEN_PEERS);
testHealthy(guests, HEALTHY_PEERS);

/** Instants at which healthy ones are asked, and virtual time (ns) in which they are. */
const INSTANTS = LONG ? 100 : 10, ASKED_FOR = 150e6;

for (const { name, guest, more = "" } of Object.values(HEALTHY_PEERS).flat()) {
  Deno.test(`healthy at ${INSTANTS} random instants: ${name}`, async () => {
    const system = await guests.system(guests.vm(guest) + more), random = new Random(name.length);
    for (const time of Array.from({ length: INSTANTS }, () => random.below(ASKED_FOR)).sort((one, other) => one - other)) {
      runUntil(system, time);
      assertHealthy(system);
    }
  });
}

Deno.test("a VM whose other end was ended by force is stuck until that one is started, as the way out says", async () => {
  const system = await guests.system(guests.vm("LISTEN") + peer("RING"));
  runHealthy(system, 1e8);
  system.inspector.act({ kind: "vm.stop", vm: "y", force: true });
  runUntil(system, 2e8);
  const { fact, because, way_out } = verdictOn(system, "x");
  assert.ok(fact.code === "awaits-dead" && fact.does === "ended", JSON.stringify(fact));
  const [end] = because.filter((one) => one.code === "other-end");
  assert.equal(end.fact.code, "stopped");
  assert.equal(way_out, "start vm:y again: `el2 vm start vm:y`");
  system.inspector.act({ kind: "vm.start", vm: "y" });
  const bell = () => rows(system, "queue.ls", { filter: "kind=doorbell to=vm:x sent>0" })[0], before = bell();
  runUntil(system, 3e8);
  runHealthy(system, 5e8);
  assert.equal(bell().id, before.id);
  assert.ok(Number(bell().received) > Number(before.received), "its bell is rung again");
});
