// A guest that waits for a source that only it could start is stuck, with the state of the source;
// one whose source may act is not.

import assert from "node:assert/strict";
import { rows, runUntil } from "../session/inspection/system.ts";
import { testBroken, testHealthy } from "./class-cases.ts";
import { type Setting, verdictOn } from "./class-guests.ts";
import { assertHealthy } from "./healthy.ts";
import { BROKEN_SOURCES, CONSOLE, ENTROPY, guests, HEALTHY_SOURCES, OWN } from "./sources.ts";
import { LONG } from "../support/long.ts";

testBroken(guests, BROKEN_SOURCES);
testHealthy(guests, HEALTHY_SOURCES);

Deno.test("a wait has the same words in el2 vcpu ls and in el2 diagnose", async () => {
  const system = await guests.system(guests.vm("LISTENS", { keys: CONSOLE }));
  runUntil(system, 1e8);
  const { text, fact } = verdictOn(system, "x"), [vcpu] = rows(system, "vcpu.ls", { filter: "vm=vm:x" });
  assert.equal(fact.code, "waits");
  assert.ok(vcpu.wakes.includes(text), JSON.stringify({ text, vcpu }));
});

/** Instants at which a busy driver is looked at, and virtual time (ns) between two. */
const INSTANTS = LONG ? 3000 : 50, APART = 1.3e3;

const AWAITED: Readonly<Record<string, readonly [guest: string, setting: Setting]>> = {
  "asleep": ["REQUESTS", { keys: ENTROPY }],
  "asleep, in a VM that the hypervisor schedules": ["REQUESTS", OWN],
  "in memory": ["REQUESTS_POLLED", { keys: ENTROPY }],
  "in registers": ["POLL_DEVICE", { keys: ENTROPY }],
};

for (const [name, [guest, setting]] of Object.entries(AWAITED)) {
  Deno.test(`healthy at each instant: a driver that awaits its requests ${name}`, async () => {
    const system = await guests.system(guests.vm(guest, setting));
    runUntil(system, 30e6);
    for (let count = 0; count < INSTANTS; count++) {
      runUntil(system, system.machine.time + APART);
      assertHealthy(system);
    }
  });
}

Deno.test("devices show how far their drivers are, and a VM that sleeps names those that none has used", async () => {
  const devices = 'devices = [{ kind = "pl011" }, { kind = "console" }, { kind = "rng" }]';
  const system = await guests.system(guests.vm("LISTENS", { keys: devices }) + guests.vm("NOT_READY", { keys: ENTROPY }, "y"));
  runUntil(system, 1e8);
  const drivers = (vm: string) => rows(system, "vm.devices", { vm }).flatMap(({ kind, driver }) => driver === null ? [] : [[kind, driver]]);
  assert.deepEqual(drivers("vm:x"), [["virtio-console", "ready"], ["virtio-rng", "none"]]);
  assert.deepEqual(drivers("vm:y"), [["virtio-rng", "features-ok"]]);
  const { healthy, because } = verdictOn(system, "x");
  assert.ok(healthy);
  assert.deepEqual(because.filter(({ code }) => code === "no-driver"), [{ code: "no-driver", devices: ["dev:x/rng1"] }]);
  assert.ok(!verdictOn(system, "y").because.some(({ code }) => code === "no-driver"));
});

const DEFECTS: Readonly<Record<string, readonly [guest: string, defect: RegExp | undefined]>> = {
  "a driver of version 1": ["POLL_LEGACY", /QueuePFN/],
  "a chain that is a circle": ["POLL_CIRCLE", /needs a reset.*: ./],
  "none, while it serves": ["REQUESTS_POLLED", undefined],
};
for (const [name, [guest, defect]] of Object.entries(DEFECTS)) {
  Deno.test(`el2 vm devices has the defect of a device: ${name}`, async () => {
    const system = await guests.system(guests.vm(guest, { keys: ENTROPY }));
    runUntil(system, 5e7);
    const device = rows(system, "vm.devices", { vm: "vm:x" }).find(({ id }) => id.includes("rng"));
    if (defect) assert.match(device?.defect ?? "", defect);
    else assert.equal(device?.defect, null);
  });
}
