// A VM's configuration from its devicetree: the recorded trees, and what is refused.

import assert from "node:assert/strict";
import fc from "fast-check";
import { rmErrorName } from "../../../../src/machine/abi/rpc/errors.ts";
import { readDevicetree } from "../../../../src/machine/devicetree/reader.ts";
import { cells, cells64, type DevicetreeNode, findNode, node, setProperties, walk } from "../../../../src/machine/devicetree/tree.ts";
import { Refusal } from "../../../../src/machine/resource-manager/calls/refusals.ts";
import { guidText, readVmConfig, type VmConfig } from "../../../../src/machine/resource-manager/config/vm-config.ts";

function recorded(name: string): DevicetreeNode {
  const read = readDevicetree(Deno.readFileSync(new URL(`../../../conformance/dtb/${name}.dtb`, import.meta.url)));
  assert.ok(read.ok);
  return read.tree.root;
}

/** The error and rule of a tree that is refused. */
function refusal(root: DevicetreeNode): string {
  try {
    readVmConfig(root);
  } catch (failure) {
    assert.ok(failure instanceof Refusal, String(failure));
    return `${rmErrorName(failure.error)}: ${failure.rule}`;
  }
  return "read";
}

/** The base tree with a change. */
function changed(change: (root: DevicetreeNode) => void): DevicetreeNode {
  const root = recorded("base");
  change(root);
  return root;
}

Deno.test("the recorded base tree is read as it is meant", () => {
  const config: VmConfig = readVmConfig(recorded("base"));
  assert.equal(config.name, "probe-base");
  assert.deepEqual(config.vcpus, [{ path: "/cpus/cpu@0", boots: true }, { path: "/cpus/cpu@1", boots: false }]);
  assert.deepEqual([config.affinity, config.psci, config.baseAddress], ["proxy", true, 0x8000_0000]);
  assert.deepEqual(config.gic?.frames, { gicd: 0x3fff_0000, gicr: 0x3fe0_0000 });
  assert.deepEqual(config.vdevices.map(({ type, label }) => [type, label]), [
    ["rm-rpc", 1],
    ["doorbell", 0x20],
    ["doorbell-source", 0x21],
    ["message-queue-pair", 0x30],
  ]);
  assert.deepEqual(config.vdevices[1].virqs, [{ intid: 64, edge: true }]);
  assert.deepEqual([config.vdevices[3].messageSize, config.vdevices[3].queueDepth], [128, 4]);
});

Deno.test("names, GUIDs and addresses are read or refused as recorded", () => {
  assert.equal(guidText(readVmConfig(recorded("guid")).guid), "11223344-5566-7788-99aa-bbccddeeff00");
  assert.equal(readVmConfig(recorded("odd-base")).baseAddress, 0x8020_0000, "rounded up to 2 MiB");
  assert.match(refusal(recorded("low-base")), /^MEM_INVALID: base-address/);
  assert.match(refusal(recorded("memory-unit")), /^MEM_INVALID: a node with device_type memory/);
  assert.match(refusal(recorded("no-name")), /^MEM_INVALID: image-name/);
  assert.match(refusal(recorded("no-cpus")), /^MEM_INVALID: no CPU boots/);
  assert.match(refusal(recorded("no-boot-cpu")), /^MEM_INVALID: no CPU boots/);
  assert.equal(readVmConfig(recorded("gic-no-reg")).gic?.frames, undefined);
});

Deno.test("numbers take their parent's cell sizes, and a property of another length is ignored", () => {
  const base = (root: DevicetreeNode) => findNode(root, "/gunyah-vm-config/memory")!;
  const one = changed((root) => setProperties(base(root), { "base-address": cells(0x4000_0000) }));
  assert.equal(readVmConfig(one).baseAddress, 0x2880_0000, "one cell where two are due: the platform's default");
  const max = changed((root) => setProperties(base(root), { "size-max": cells64(0x100_0000) }));
  assert.equal(readVmConfig(max).sizeMax, 2 ** 36 - 0x8000_0000, "two cells where one is due");
});

Deno.test("a GIC that is none is refused, and a tree without one is left for the start to refuse", () => {
  const gic = (change: (node: DevicetreeNode) => void) => changed((root) => change(findNode(root, "/interrupt-controller")!));
  assert.match(refusal(gic((each) => setProperties(each, { compatible: "arm,gic-400" }))), /arm,gic-v3/);
  assert.match(refusal(gic((each) => setProperties(each, { "#redistributor-regions": 2 }))), /redistributor region/);
  assert.match(refusal(gic((each) => setProperties(each, { reg: cells64(0x1000, 0x1_0000, 0x2_0000, 0x2_0000) }))), /reg that is no/);
  assert.equal(readVmConfig(gic((each) => setProperties(each, { phandle: 99 }))).gic, undefined);
});

Deno.test("vdevices that lack what they need are refused by name", () => {
  const add = (properties: Parameters<typeof node>[1]) => refusal(changed((root) => root.children.push(node("device", properties))));
  assert.equal(add({ "vdevice-type": "teleporter" }), "read", "an unknown type is no vdevice");
  assert.match(add({ "vdevice-type": "rm-rpc" }), /rm-rpc has no generate/);
  assert.match(add({ "vdevice-type": "doorbell" }), /neither peer-default nor peer/);
  assert.match(add({ "vdevice-type": "message-queue", "peer-default": true }), /is-sender/);
  assert.match(add({ "vdevice-type": "shm", "peer-default": true }), /no child memory/);
  assert.match(
    add({ "vdevice-type": "doorbell", "peer-default": true, generate: `/${"a/".repeat(100)}` }),
    /generate is not the path of a node to create/,
  );
});

Deno.test("vCPUs of a VM that the hypervisor schedules need a map", () => {
  const vcpus = (properties: Parameters<typeof node>[1]) =>
    changed((root) => setProperties(findNode(root, "/gunyah-vm-config/vcpus")!, properties ?? {}));
  assert.match(refusal(vcpus({ affinity: "static" })), /affinity-map/);
  const config = readVmConfig(
    vcpus({ affinity: "pinned", "affinity-map": [1, 2], "sched-priority": 0xffff_ffff, "sched-timeslice": 5000 }),
  );
  assert.deepEqual([config.affinityMap, config.priority, config.timeslice], [[1, 2], -1, 5000]);
});

Deno.test("a tree in which any property is overwritten is read or refused", () => {
  const sites = [...walk(recorded("base"))].flatMap(({ path, node: each }) =>
    [...each.properties.keys()].map((name) => [path, name] as const)
  );
  fc.assert(fc.property(fc.array(fc.tuple(fc.constantFrom(...sites), fc.uint8Array({ maxLength: 24 })), { maxLength: 6 }), (changes) => {
    refusal(changed((root) => {
      for (const [[path, name], value] of changes) findNode(root, path)?.properties.set(name, value);
    }));
  }));
});
