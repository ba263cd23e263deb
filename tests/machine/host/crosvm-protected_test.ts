// Protected VMs on crosvm's platform, on the whole stack: firmware before the RAM, lent memory, and
// the pool that VM and VMM share. The VM's vCPU executes a script instead of the firmware.

import assert from "node:assert/strict";
import type { PersonaName } from "../../../src/machine/abi/ioctl/personas.ts";
import { readDevicetree } from "../../../src/machine/devicetree/reader.ts";
import { findNode, readCells, readString } from "../../../src/machine/devicetree/tree.ts";
import { writeDevicetree } from "../../../src/machine/devicetree/writer.ts";
import { crosvmDevicetree } from "../../../src/machine/host/boards/crosvm/devicetree.ts";
import { CROSVM_FIRMWARE } from "../../../src/machine/host/boards/crosvm/map.ts";
import type { VmPlan } from "../../../src/machine/host/data/plan.ts";
import { boardOf } from "../../../src/machine/host/boards.ts";
import { RngDevice } from "../../../src/machine/virtio/rng/rng.ts";
import { BASE, BYTES, DONE, drive, FILL, QUEUE, type Seen } from "./crosvm-guest.ts";
import { HOST_MEMORY, MIB, vmPlan } from "./plans.ts";
import { Stack } from "./stack.ts";

const MEMORY = 16 * MIB, POOL = 4 * MIB;
const IN_POOL = BASE + MEMORY - POOL;
const FIRMWARE = { bytes: new Uint8Array(0x1000).fill(0xff), size: 0x1000 };

function plan(hypervisor: "gunyah" | "geniezone" = "gunyah"): VmPlan {
  const devices = [{ kind: "rng" }] as const;
  return vmPlan("a", { platform: "crosvm", memory: MEMORY, swiotlb: POOL, firmware: FIRMWARE, devices, hypervisor });
}

/** Runs a protected VM whose driver keeps queue and buffer at this address. */
function run(device: PersonaName, hypervisor: "gunyah" | "geniezone", queue: number) {
  const seen: Seen = {};
  const stack: Stack = new Stack({ memory: HOST_MEMORY, vcpus: 1, vms: [plan(hypervisor)] }, {
    ...{ cpus: 1, device, memory: 128 * MIB },
    devices: () => new RngDevice({ fill: (into) => void into.fill(FILL), save: () => null, restore() {} }),
    scripts: { [CROSVM_FIRMWARE.base]: () => drive(stack, seen, { queue, platform: true }) },
  });
  const names: string[] = [];
  stack.hypervisor.trace.listen(["ioctl"], (event) => {
    if ("name" in event) names.push(event.name);
  });
  stack.run(1e9);
  return { seen, log: stack.log(), names };
}

for (
  const [device, hypervisor] of [["v14", "gunyah"], ["ack-6.1", "gunyah"], ["ack-6.6", "gunyah"], ["ack-6.12", "gunyah"], [
    "union",
    "gunyah",
  ], ["v14", "geniezone"]] as const
) {
  Deno.test(`a protected VM of ${hypervisor} on ${device} reaches a device by the pool`, () => {
    const { seen, log } = run(device, hypervisor, IN_POOL);
    assert.deepEqual(log, DONE);
    assert.deepEqual(seen.buffer, new Uint8Array(BYTES).fill(FILL));
    assert.deepEqual([seen.pending, seen.isr], [[false, true], [8n, 1n, 0n]]);
  });

  Deno.test(`a queue in memory that a protected VM of ${hypervisor} on ${device} was lent is refused by name`, () => {
    const { seen, log } = run(device, hypervisor, QUEUE);
    const reason = log.find((line) => line.startsWith("error"));
    assert.match(
      reason!,
      /^error a: host access to lent memory region: virtio-rng in slot 0: .*; queue 0 is in page 0x80101000, which is lent to the protected VM: its kernel needs CONFIG_DMA_RESTRICTED_POOL$/,
    );
    assert.equal(seen.buffer, undefined);
    assert.deepEqual(log.slice(-2), ["a failed", "finished a"]);
  });
}

Deno.test("the VMM of a protected VM lends firmware and RAM, shares the pool, and places the firmware before it has vCPUs", () => {
  const { names } = run("v14", "gunyah", IN_POOL);
  assert.deepEqual(names.slice(0, 6), [
    ...["GH_CREATE_VM", "GH_VM_ANDROID_LEND_USER_MEM", "GH_VM_ANDROID_LEND_USER_MEM", "GH_VM_SET_USER_MEM_REGION"],
    ...["GH_VM_ANDROID_SET_FW_CONFIG", "GH_VM_ADD_FUNCTION"],
  ]);
});

Deno.test("the devicetree of a protected VM has the pool as reserved memory of the PCI host and as a vdevice", () => {
  const read = readDevicetree(writeDevicetree(crosvmDevicetree(plan(), boardOf(plan()).layout(plan()))));
  assert.ok(read.ok);
  const { root } = read.tree;
  const node = (path: string) => findNode(root, path)!;
  const cells = (path: string, property: string) => readCells(node(path), property);
  assert.deepEqual(cells("/memory", "reg"), [0, 0x7fc0_0000, 0, MEMORY + CROSVM_FIRMWARE.size]);
  const pool = `/reserved-memory/restricted_dma_reserved@${IN_POOL.toString(16)}`;
  assert.equal(readString(node(pool), "compatible"), "restricted-dma-pool");
  assert.deepEqual([cells(pool, "reg"), cells(pool, "alignment")], [[0, IN_POOL, 0, POOL], [0, 0x1_0000]]);
  assert.deepEqual(cells("/pci", "memory-region"), cells(pool, "phandle"));
  assert.deepEqual(cells("/gunyah-vm-config/memory", "firmware-address"), [0, 0x7fc0_0000]);
  const shm = "/gunyah-vm-config/vdevices/shm-2";
  assert.equal(readString(node(shm), "vdevice-type"), "shm");
  assert.deepEqual([cells(`${shm}/memory`, "label"), cells(`${shm}/memory`, "base")], [[2], [0, IN_POOL]]);
  const unprotected = { ...plan(), firmware: undefined, swiotlb: undefined };
  const other = readDevicetree(writeDevicetree(crosvmDevicetree(unprotected, boardOf(unprotected).layout(unprotected))));
  assert.ok(other.ok);
  assert.equal(findNode(other.tree.root, "/reserved-memory"), undefined);
});
