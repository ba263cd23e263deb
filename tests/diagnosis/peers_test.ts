// A guest that waits for another VM in vain is told what that VM does instead; one whose other end
// may still act is healthy, whenever one asks.

import assert from "node:assert/strict";
import type { GuestSystem } from "../../src/session/assembly/system/guest-system.ts";
import { rows, runUntil } from "../session/inspection/system.ts";
import { Random } from "../support/random.ts";
import { LONG } from "../support/long.ts";
import { writeLinked } from "./broken-guest.ts";
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

/** A VM with a link to the Resource Manager. */
async function linked(guest: string): Promise<GuestSystem> {
  await writeLinked(guests.folder, guests.configuration(guests.vm(guest)), "x");
  return guests.system(guests.vm(guest, { keys: 'dtb = "x.dtb"' }));
}

/** The line about what the Resource Manager has dropped. */
const droppedOf = (system: GuestSystem) => verdictOn(system, "x").because.filter((one) => one.code === "dropped");

Deno.test("a packet that the Resource Manager drops is an event, and a line at its sender until a request is answered", async () => {
  const [system, twin] = [await linked("SEND_HALF_A_PACKET"), await linked("SEND_HALF_AND_WHOLE")];
  for (const one of [system, twin]) runHealthy(one, 1e8);
  const [line] = droppedOf(system), [event] = rows(system, "rpc.ls", { filter: "msg=PACKET_DROPPED" });
  assert.deepEqual(line, { code: "dropped", vm: "vm:x", way: "from", event: event.id, rule: "4 bytes, the header has 8" });
  assert.equal(event.vm, "vm:x");
  assert.equal(rows(twin, "rpc.ls", { filter: "msg=PACKET_DROPPED" }).length, 1);
  assert.deepEqual(droppedOf(twin), []);
});

Deno.test("a reset of a VM has the place of its call", async () => {
  const system = await guests.system(guests.vm("LISTEN") + peer("RESET"));
  runUntil(system, 1e8);
  const { text } = verdictOn(system, "y");
  assert.match(text, /^the guest asked for a reset \(PSCI SYSTEM_RESET\) at 0x[0-9a-f]+ <guest_main\+0x[0-9a-f]+>/);
});

/**
 * One waits for a bell of the next, which polls memory of the third, which waits for a message of
 * the first.
 */
const THREE = `[link]
ring = { kind = "doorbell", label = 2, from = "y", to = "x" }
board = { kind = "shm", label = 4, size = "64KiB", access = { y = "rw", z = "rw" } }
messages = { kind = "msgqueue-pair", label = 1, between = ["x", "z"], depth = 8, size = 64 }
`;

Deno.test("three VMs that wait in three ways are one ring, whoever of them is asked", async () => {
  const three = guests.vm("LISTEN") + guests.vm("POLL_BOARD", {}, "y") + guests.vm("ASK_BY_MESSAGE", {}, "z");
  const system = await guests.system(three + THREE);
  runUntil(system, 1e8);
  const ring = ["x", "y", "z"];
  for (const first of ring.keys()) {
    const { fact } = verdictOn(system, ring[first]), expected = [0, 1, 2].map((step) => `vm:${ring[(first + step) % 3]}`);
    assert.ok(fact.code === "deadlock", JSON.stringify(fact));
    assert.deepEqual(fact.steps.map(({ vm }) => vm), expected);
  }
});
