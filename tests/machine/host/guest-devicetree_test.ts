import assert from "node:assert/strict";
import { readDevicetree } from "../../../src/machine/devicetree/reader.ts";
import { findNode, readCells, readString } from "../../../src/machine/devicetree/tree.ts";
import { writeDevicetree } from "../../../src/machine/devicetree/writer.ts";
import { guestDevicetree } from "../../../src/machine/host/boards/el2/devicetree.ts";
import { readPlatform } from "../../../src/machine/host/primary/platform.ts";
import type { VmPlan } from "../../../src/machine/host/data/plan.ts";
import { boardOf } from "../../../src/machine/host/boards.ts";
import { DEVICETREE_SIZE, VM_PL011_SPI } from "../../../src/machine/host/boards/el2/map.ts";
import { bellLabel } from "../../../src/machine/host/boards/labels.ts";
import { readVmConfig } from "../../../src/machine/resource-manager/config/vm-config.ts";
import { hostDevicetree, RX_VIRQ, TX_VIRQ } from "./fake-platform.ts";

const MIB = 2 ** 20;

const PLAN: VmPlan = {
  name: "a",
  image: { bytes: new Uint8Array(0x1234), offset: 0, size: 0x9000, entry: 0 },
  firmware: undefined,
  initrd: new Uint8Array(0x2345),
  cmdline: "console=ttyAMA0",
  memory: 4 * MIB,
  base: 0x8000_0000,
  vcpus: 3,
  schedule: "proxy",
  console: true,
  links: [
    { kind: "message-queue-pair", label: 5, peer: "b", depth: 4, size: 128 },
    { kind: "doorbell", label: 6, peer: "b", sourceCanClear: true },
    { kind: "doorbell-source", label: 7, peer: "b", sourceCanClear: false },
  ],
  onExit: "stop",
};

function tree(plan: VmPlan) {
  const read = readDevicetree(writeDevicetree(guestDevicetree(plan, boardOf(plan).layout(plan))));
  assert.ok(read.ok);
  return read.tree.root;
}

Deno.test("the Resource Manager reads from a VM's devicetree what the plan says", () => {
  const config = readVmConfig(tree(PLAN));
  assert.equal(config.name, "a");
  assert.equal(config.baseAddress, 0x8000_0000);
  assert.equal(config.affinity, "proxy");
  assert.deepEqual(config.vcpus.map(({ boots }) => boots), [true, false, false]);
  assert.ok(config.psci);
  assert.deepEqual(config.gic?.frames, { gicd: 0x0800_0000, gicr: 0x080a_0000 });
  const [bell, pair, rung, rings] = config.vdevices;
  assert.deepEqual([bell.type, bell.label, bell.peerDefault, bell.sourceCanClear, bell.virqs], [
    ...["doorbell", bellLabel(VM_PL011_SPI), true, true],
    [{ intid: 33, edge: false }],
  ]);
  assert.deepEqual([pair.type, pair.label, pair.peer, pair.queueDepth, pair.messageSize], ["message-queue-pair", 5, "vm-name:b", 4, 128]);
  assert.deepEqual([rung.type, rung.label, rung.peer, rung.sourceCanClear], ["doorbell", 6, "vm-name:b", true]);
  assert.deepEqual([rings.type, rings.label, rings.peer, rings.sourceCanClear], ["doorbell-source", 7, "vm-name:b", false]);
});

Deno.test("a VM's initial ramdisk ends before the devicetree, page aligned, and /chosen says where", () => {
  const root = tree(PLAN);
  const chosen = findNode(root, "/chosen")!;
  const [, start] = readCells(chosen, "linux,initrd-start")!;
  const [, end] = readCells(chosen, "linux,initrd-end")!;
  assert.equal(start % 4096, 0);
  assert.equal(end - start, 0x2345);
  assert.ok(end <= 0x8000_0000 + 4 * MIB - DEVICETREE_SIZE && end > 0x8000_0000 + 4 * MIB - DEVICETREE_SIZE - 4096);
  assert.equal(readString(chosen, "bootargs"), "console=ttyAMA0");
});

Deno.test("a VM without console has neither PL011 nor its doorbell", () => {
  const root = tree({ ...PLAN, console: false, links: [] });
  assert.equal(findNode(root, "/pl011@9000000"), undefined);
  assert.equal(readString(findNode(root, "/chosen")!, "stdout-path"), undefined);
  assert.deepEqual(readVmConfig(root).vdevices, []);
});

Deno.test("a VM that the hypervisor schedules names its cores, its priority and its timeslice", () => {
  const schedule = { affinity: "pinned", affinityMap: [2, 0, 1], priority: -4, timeslice: 1000 } as const;
  const config = readVmConfig(tree({ ...PLAN, console: false, schedule }));
  assert.deepEqual([config.affinity, config.affinityMap, config.priority, config.timeslice], ["pinned", [2, 0, 1], -4, 1000]);
});

Deno.test("firmware has whole pages between initial ramdisk and devicetree", () => {
  const firmware = { bytes: new Uint8Array(0x800), size: 0x1801 };
  const layout = boardOf(PLAN).layout({ ...PLAN, firmware });
  assert.equal(layout.firmware, 4 * MIB - DEVICETREE_SIZE - 0x2000);
  assert.equal(layout.initrd, layout.firmware! - 0x3000);
  assert.equal(boardOf(PLAN).rules.needs({ ...PLAN, firmware }), boardOf(PLAN).rules.needs(PLAN) + 0x2000);
});

Deno.test("a VM needs the pages of image and ramdisk, and the devicetree's window", () => {
  assert.equal(boardOf(PLAN).rules.needs(PLAN), 0x9000 + 0x3000 + DEVICETREE_SIZE);
});

Deno.test("readPlatform() finds memory, CPUs, GIC and the link to the Resource Manager", () => {
  assert.deepEqual(readPlatform(hostDevicetree(64 * MIB, 2)), {
    ok: true,
    platform: {
      memory: { base: 0x4000_0000, size: 64 * MIB },
      cpus: [0, 1],
      gicd: 0x0800_0000,
      rm: { txCap: 0n, rxCap: 1n, txVirq: TX_VIRQ, rxVirq: RX_VIRQ },
    },
  });
});

Deno.test("readPlatform() says what a devicetree lacks", () => {
  assert.deepEqual(readPlatform(new Uint8Array(100)), {
    ok: false,
    problem: "devicetree: not a flattened devicetree: the magic word is missing",
  });
  const read = readDevicetree(hostDevicetree(64 * MIB, 2));
  assert.ok(read.ok);
  const { root } = read.tree;
  root.children.splice(root.children.findIndex(({ name }) => name === "hypervisor"), 1);
  const result = readPlatform(writeDevicetree(read.tree));
  assert.ok(!result.ok && /gunyah-resource-manager/.test(result.problem));
});
