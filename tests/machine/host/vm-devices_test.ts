// Virtio devices of a VM on the whole stack: registers by exits to the VMM, notifications by
// ioeventfds, interrupts by irqfds, and memory as the VMM has it. The VM's vCPU executes a script
// instead of a driver.

import assert from "node:assert/strict";
import type { PersonaName } from "../../../src/machine/abi/ioctl/personas.ts";
import { VirtioMmioRegister as R, VirtioStatus } from "../../../src/machine/devices/virtio-mmio-registers.ts";
import { virtioBase, VM_VIRTIO_SPI } from "../../../src/machine/host/boards/el2/map.ts";
import type { VmPlan } from "../../../src/machine/host/data/plan.ts";
import { Feature } from "../../../src/machine/virtio/device.ts";
import { RngDevice } from "../../../src/machine/virtio/rng/rng.ts";
import { HOST_MEMORY, MIB, vmPlan } from "./plans.ts";
import type { Step } from "./scripted-core.ts";
import { Stack } from "./stack.ts";
import { parseFaultRule } from "../../../src/model/queries/fault-rule.ts";

const BASE = 0x8000_0000;
const OFF = 0x8400_0008n;
/** Where the queue is in a VM's memory, and the buffer that it offers: offsets. */
const QUEUE = 0x10_0000, DRIVER = QUEUE + 0x1000, DEVICE = QUEUE + 0x2000, BUFFER = QUEUE + 0x3000;
const BYTES = 16;
const INTID = 32 + VM_VIRTIO_SPI;
/** Accesses at the end, each of which takes microseconds. */
const LATER = 20;

/** Operations of a driver: features, one queue of one descriptor, DRIVER_OK, notification. */
function* drive(base: number, slot: number, wait: () => Generator<Step, void, bigint>): Generator<Step, void, bigint> {
  const store = (offset: number, value: number): Step => ({
    do: "store",
    address: virtioBase(slot) + offset,
    size: 4,
    value: BigInt(value),
  });
  const { ACKNOWLEDGE, DRIVER: HAS_DRIVER, FEATURES_OK, DRIVER_OK } = VirtioStatus;
  yield store(R.Status, ACKNOWLEDGE | HAS_DRIVER);
  yield store(R.DriverFeaturesSel, 1);
  yield store(R.DriverFeatures, 1 << Feature.VERSION_1 - 32);
  yield store(R.Status, ACKNOWLEDGE | HAS_DRIVER | FEATURES_OK);
  yield store(R.QueueNum, 1);
  yield store(R.QueueDescLow, base + QUEUE);
  yield store(R.QueueDriverLow, base + DRIVER);
  yield store(R.QueueDeviceLow, base + DEVICE);
  yield store(R.QueueReady, 1);
  yield store(R.Status, ACKNOWLEDGE | HAS_DRIVER | FEATURES_OK | DRIVER_OK);
  yield store(R.QueueNotify, 0);
  yield* wait();
  yield { do: "hvc", immediate: 0, x: [OFF] };
}

/** Observations of a VM's guest. */
interface Seen {
  used: number;
  buffer: Uint8Array;
  status: bigint;
  pending: boolean;
  /** Used descriptors at the end, some accesses to the device later. */
  usedLater: number;
}

/**
 * The driver in the VM with this id and memory: offers a buffer, and reads it when it has
 * notified.
 */
function guest(stack: () => Stack, vmid: number, base: number, seen: Seen): () => Generator<Step, void, bigint> {
  const vcpu = () => [...stack().hypervisor.scheduler.vcpus].find((vcpu) => vcpu.addressSpace?.vmid === vmid)!;
  const ram = (offset: number) => vcpu().addressSpace!.stage2.lookup(base + offset)!.pa;
  return function* () {
    const descriptor = new DataView(new ArrayBuffer(16));
    descriptor.setBigUint64(0, BigInt(base + BUFFER), true);
    descriptor.setUint32(8, BYTES, true);
    descriptor.setUint16(12, 2, true);
    const { ram: memory } = stack().machine;
    // Pages that the guest has not touched may not exist yet.
    for (const offset of [QUEUE, DRIVER, DEVICE, BUFFER]) {
      if (!vcpu().addressSpace!.stage2.lookup(base + offset)) yield { do: "load", address: base + offset, size: 8 };
    }
    memory.write(ram(QUEUE), new Uint8Array(descriptor.buffer));
    // One entry, of descriptor 0.
    memory.write(ram(DRIVER), Uint8Array.of(0, 0, 1, 0, 0, 0));
    yield* drive(base, 0, function* () {
      seen.used = memory.bytes(ram(DEVICE) + 2, 1)[0];
      seen.buffer = memory.bytes(ram(BUFFER), BYTES).slice();
      const { gic } = vcpu();
      seen.pending = gic.gic.bank(gic, INTID).isPending(INTID);
      for (let i = 0; i < LATER; i++) seen.status = yield { do: "load", address: virtioBase(0) + R.Status, size: 4 };
      seen.usedLater = memory.bytes(ram(DEVICE) + 2, 1)[0];
    });
  };
}

const FIRST_VMID = 0x80;
/** Output of the entropy device of a VM. */
const entropyOf = (name: string) => 0x5a + name.charCodeAt(0);

/** Runs VMs with an entropy device each to their end. */
function runAll(device: PersonaName, plans: readonly VmPlan[], rules: readonly string[] = []) {
  const seen = plans.map((): Seen => ({ used: 0, buffer: new Uint8Array(0), status: 0n, pending: false, usedLater: 0 }));
  const stack: Stack = new Stack({ memory: HOST_MEMORY, vcpus: 1, vms: plans }, {
    ...{ cpus: 1, device },
    devices: (_plan, vm) => new RngDevice({ fill: (into) => void into.fill(entropyOf(vm)), save: () => null, restore() {} }),
    scripts: Object.fromEntries(plans.map(({ base }, index) => [base, guest(() => stack, FIRST_VMID + index, base, seen[index])])),
  });
  for (const rule of rules) stack.hypervisor.faults.add(parseFaultRule(rule));
  stack.run(1e9);
  return { seen, log: stack.log(), faults: stack.hypervisor.faults };
}

/** Runs a VM with an entropy device to its end. */
function run(device: PersonaName, changes: Partial<VmPlan> = {}, rules: readonly string[] = []) {
  const plan = vmPlan("a", { memory: 4 * MIB, base: BASE, devices: [{ kind: "rng" }], ...changes });
  const { seen: [seen], log, faults } = runAll(device, [plan], rules);
  return { ...seen, log, faults };
}

const DONE = ["a creating", "a ready", "a running", "a exited system-off", "a stopped", "finished"];

for (
  const [device, hypervisor] of [["v14", "gunyah"], ["union", "gunyah"], ["v14", "geniezone"]] as const
) {
  Deno.test(`a device of a VM of ${hypervisor} on ${device} fills the guest's buffer and interrupts it`, () => {
    const { used, buffer, pending, log } = run(device, { hypervisor });
    assert.deepEqual(log, DONE);
    assert.equal(used, 1);
    assert.deepEqual(buffer, new Uint8Array(BYTES).fill(entropyOf("a")));
    assert.equal(pending, true);
  });
}

Deno.test("a VM of Gunyah and one of GenieZone have a device each at the same time, and neither sees what the other gets", () => {
  const shared = { memory: 4 * MIB, devices: [{ kind: "rng" }] } as const;
  const { seen, log } = runAll("union", [
    vmPlan("a", { ...shared, base: BASE }),
    vmPlan("b", { ...shared, base: BASE + 0x1000_0000, hypervisor: "geniezone" }),
  ]);
  assert.ok(log.indexOf("b running") < log.indexOf("a exited system-off"), log.join("\n"));
  for (const [index, name] of ["a", "b"].entries()) {
    const { used, buffer, pending } = seen[index];
    assert.deepEqual([used, pending, buffer], [1, true, new Uint8Array(BYTES).fill(entropyOf(name))], log.join("\n"));
    assert.ok(log.includes(`${name} exited system-off`), log.join("\n"));
  }
});

// These generations give what the host keeps without the right to execute it, so that the VMM lends
// all.
for (const device of ["v17", "ack-6.6", "ack-6.12"] as const) {
  Deno.test(`on ${device} the memory is lent, and a device that cannot see its queue says so and needs its reset`, () => {
    const { used, status, log } = run(device);
    assert.equal(used, 0);
    assert.equal(Number(status) & VirtioStatus.NEEDS_RESET, VirtioStatus.NEEDS_RESET);
    assert.match(log[3], /^error a: virtio-rng in slot 0: .* lies in memory that the device's side may not read: lent/);
    assert.match(log[3], new RegExp(`\\): ipa 0x(${(BASE + DRIVER).toString(16)}|${(BASE + DRIVER + 2).toString(16)}), size 2`));
    assert.deepEqual(log.toSpliced(3, 1), DONE);
  });
}

Deno.test("a driver whose queue the hypervisor took and the device does not finds its device in need of a reset", () => {
  let status = 0;
  const schedule = { affinity: "static", affinityMap: [0], priority: -1, timeslice: 5000 } as const;
  const plan = vmPlan("a", { memory: 4 * MIB, base: BASE, devices: [{ kind: "rng" }], schedule, console: false });
  const stack: Stack = new Stack({ memory: HOST_MEMORY, vcpus: 1, vms: [plan] }, {
    ...{ cpus: 1, device: "v14" },
    devices: () => new RngDevice({ fill: (into) => void into.fill(0), save: () => null, restore() {} }),
    scripts: {
      [BASE]: function* () {
        const { virtioPages, scheduler } = stack.hypervisor;
        const [page] = virtioPages.keys();
        const { stage2 } = [...scheduler.vcpus].find((vcpu) => vcpu.addressSpace?.vmid === FIRST_VMID)!.addressSpace!;
        const run = stage2.entries().find(({ pa, size }) => page >= pa && page < pa + size)!, device = run.ipa + page - run.pa;
        const store = (offset: number, value: number): Step => ({ do: "store", address: device + offset, size: 4, value: BigInt(value) });
        const { ACKNOWLEDGE, DRIVER: HAS_DRIVER, FEATURES_OK, DRIVER_OK, NEEDS_RESET } = VirtioStatus;
        yield store(R.DriverFeaturesSel, 1);
        yield store(R.DriverFeatures, 1 << Feature.VERSION_1 - 32);
        // No power of two.
        yield store(R.QueueNum, 3);
        yield store(R.QueueReady, 1);
        yield store(R.Status, ACKNOWLEDGE | HAS_DRIVER | FEATURES_OK | DRIVER_OK);
        for (let patience = 0; patience < 100 && (status & NEEDS_RESET) === 0; patience++) {
          yield { do: "work", count: 100_000 };
          status = stack.machine.ram.bytes(page + R.Status, 1)[0];
        }
        yield { do: "hvc", immediate: 0, x: [OFF] };
        return;
      },
    },
  });
  stack.run(1e9);
  const log = stack.log(), refused = log.filter((line) => line.startsWith("error"));
  assert.match(refused[0], /^error a: virtio-rng in slot 0: a queue has a power of two of entries/, log.join("\n"));
  assert.deepEqual(log.filter((line) => !refused.includes(line)), DONE);
  assert.equal(status & VirtioStatus.NEEDS_RESET, VirtioStatus.NEEDS_RESET);
});

/** Effects on the one request: descriptors used at once and later, and DEVICE_NEEDS_RESET. */
const FATES: readonly (readonly [effect: string, used: number, usedLater: number, needsReset: boolean])[] = [
  ["lose", 0, 0, false],
  ["delay 20us", 0, 1, false],
  ["delay 1s", 0, 0, false],
  ["die", 0, 0, true],
  ["IOERR", 0, 0, true],
];

Deno.test("rules for injected faults hit requests to the devices of a VM, of each hypervisor, and of no other VM", () => {
  for (const hypervisor of ["gunyah", "geniezone"] as const) {
    for (const [effect, used, usedLater, needsReset] of FATES) {
      const found = run("v14", { hypervisor }, [`dev=b/rng0 -> lose`, `dev=a/rng0 op=queue0 -> ${effect}`]);
      const what = `${hypervisor}: ${effect}`;
      assert.deepEqual([found.used, found.usedLater], [used, usedLater], what);
      assert.equal((found.status & BigInt(VirtioStatus.NEEDS_RESET)) !== 0n, needsReset, what);
      assert.deepEqual(found.faults.entries.map(({ hits }) => hits), [0, 1], what);
      assert.equal(found.faults.delayed, 0, `${what}: nothing is left of a delay when the VM is gone`);
      assert.equal(found.log.at(-1), "finished", what);
    }
  }
});
