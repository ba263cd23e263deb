// Virtio devices of a VM on the whole stack: registers by exits to the VMM, notifications by ioeventfds, interrupts by irqfds, and memory as
// the VMM has it. The VM's vCPU executes a script in the place of a driver.

import assert from "node:assert/strict";
import type { PersonaName } from "../../src/abi/ioctl/personas.ts";
import { VirtioMmioRegister as R, VirtioStatus } from "../../src/devices/virtio-mmio-registers.ts";
import { virtioBase, VM_VIRTIO_SPI } from "../../src/host/vm-layout.ts";
import type { VmPlan } from "../../src/host/plan.ts";
import { Feature } from "../../src/virtio/device.ts";
import { RngDevice } from "../../src/virtio/rng/rng.ts";
import { HOST_MEMORY, MIB, vmPlan } from "./plans.ts";
import type { Step } from "./scripted-core.ts";
import { Stack } from "./stack.ts";

const BASE = 0x8000_0000;
const OFF = 0x8400_0008n;
/** Where the queue is in the VM's memory, and the buffer that it offers. */
const QUEUE = BASE + 0x10_0000, DRIVER = QUEUE + 0x1000, DEVICE = QUEUE + 0x2000, BUFFER = QUEUE + 0x3000;
const BYTES = 16;
const INTID = 32 + VM_VIRTIO_SPI;

/** What a driver does: features, one queue of one descriptor, DRIVER_OK, notification. */
function* drive(slot: number, wait: () => Generator<Step, void, bigint>): Generator<Step, void, bigint> {
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
  yield store(R.QueueDescLow, QUEUE);
  yield store(R.QueueDriverLow, DRIVER);
  yield store(R.QueueDeviceLow, DEVICE);
  yield store(R.QueueReady, 1);
  yield store(R.Status, ACKNOWLEDGE | HAS_DRIVER | FEATURES_OK | DRIVER_OK);
  yield store(R.QueueNotify, 0);
  yield* wait();
  yield { do: "hvc", immediate: 0, x: [OFF] };
}

/** Runs a VM with an entropy device to its end. */
function run(device: PersonaName, changes: Partial<VmPlan> = {}) {
  const plan = vmPlan("a", { memory: 4 * MIB, devices: [{ kind: "rng" }], ...changes });
  const seen = { used: 0, buffer: new Uint8Array(0), status: 0n, pending: false };
  const vcpu = () => [...stack.hypervisor.scheduler.vcpus].find((vcpu) => vcpu.addressSpace?.vmid === 0x80)!;
  const ram = (address: number) => vcpu().addressSpace!.stage2.lookup(address)!.pa;
  const stack = new Stack({ memory: HOST_MEMORY, vcpus: 1, vms: [plan] }, {
    ...{ cpus: 1, device },
    devices: () => new RngDevice({ fill: (into) => void into.fill(0x5a), save: () => null, restore() {} }),
    scripts: {
      [BASE]: function* () {
        const descriptor = new DataView(new ArrayBuffer(16));
        descriptor.setBigUint64(0, BigInt(BUFFER), true);
        descriptor.setUint32(8, BYTES, true);
        descriptor.setUint16(12, 2, true);
        stack.machine.ram.write(ram(QUEUE), new Uint8Array(descriptor.buffer));
        // One entry, of descriptor 0.
        stack.machine.ram.write(ram(DRIVER), Uint8Array.of(0, 0, 1, 0, 0, 0));
        yield* drive(0, function* () {
          seen.used = stack.machine.ram.bytes(ram(DEVICE) + 2, 1)[0];
          seen.buffer = stack.machine.ram.bytes(ram(BUFFER), BYTES).slice();
          const { gic } = vcpu();
          seen.pending = gic.gic.bank(gic, INTID).isPending(INTID);
          seen.status = yield { do: "load", address: virtioBase(0) + R.Status, size: 4 };
        });
      },
    },
  });
  stack.run(1e9);
  return { ...seen, log: stack.log() };
}

const DONE = ["a creating", "a ready", "a running", "a exited system-off", "a stopped", "finished"];

for (
  const [device, hypervisor] of [["v14", "gunyah"], ["union", "gunyah"], ["v14", "geniezone"]] as const
) {
  Deno.test(`a device of a VM of ${hypervisor} on ${device} fills the guest's buffer and interrupts it`, () => {
    const { used, buffer, pending, log } = run(device, { hypervisor });
    assert.deepEqual(log, DONE);
    assert.equal(used, 1);
    assert.deepEqual(buffer, new Uint8Array(BYTES).fill(0x5a));
    assert.equal(pending, true);
  });
}

// These generations give what the host keeps without the right to execute it, so that the VMM lends all.
for (const device of ["v17", "ack-6.6", "ack-6.12"] as const) {
  Deno.test(`on ${device} the memory is lent, and a device that cannot see its queue says so and needs its reset`, () => {
    const { used, status, log } = run(device);
    assert.equal(used, 0);
    assert.equal(Number(status) & VirtioStatus.NEEDS_RESET, VirtioStatus.NEEDS_RESET);
    assert.match(log[3], /^error a: virtio-rng in slot 0: .* lies in memory that the device's side may not read: lent/);
    assert.match(log[3], new RegExp(`"ipa":(${DRIVER}|${DRIVER + 2}),`));
    assert.deepEqual(log.toSpliced(3, 1), DONE);
  });
}
