// The Resource Manager's boot against the recorded order of hypercalls (docs/spec/observed.md §7).

import assert from "node:assert/strict";
import { ErrorCode } from "../../../../src/machine/abi/errors.ts";
import { HYPERVISOR_NODES, type HypervisorNode } from "../../../../src/machine/abi/hypervisor-node.ts";
import { readDevicetree } from "../../../../src/machine/devicetree/reader.ts";
import {
  cells64,
  devicetree,
  findNode,
  node,
  type PropertyValue,
  readCells,
  readNumber,
  readString,
  readStrings,
  walk,
} from "../../../../src/machine/devicetree/tree.ts";
import { writeDevicetree } from "../../../../src/machine/devicetree/writer.ts";
import { ResourceManager } from "../../../../src/machine/resource-manager/resource-manager.ts";
import { ENVIRONMENT_IPA, type FakeVcpu, recordedVcpu } from "../fake-vcpu.ts";

const DT = 0x40f0_0000;

function booted(hypervisorNode?: HypervisorNode): { vcpu: FakeVcpu; rm: ResourceManager } {
  const vcpu = recordedVcpu();
  vcpu.write(DT, writeDevicetree(devicetree(node("", { "#address-cells": 2, "#size-cells": 2 }, [node("chosen")]))));
  // The machine has no ITS.
  vcpu.fail = (name, args) => name === "vic_configure" && args[4] !== undefined ? ErrorCode.ARGUMENT_INVALID : undefined;
  const rm = new ResourceManager({ hypervisorNode });
  rm.start(vcpu, 0x8048_1000n, BigInt(ENVIRONMENT_IPA));
  return { vcpu, rm };
}

/** The recorded calls, in hexadecimal; HWIRQS stands for the 235 hardware interrupts. */
const RECORDED = `
prng_get_entropy 8
prng_get_entropy 10
hypervisor_identify
addrspace_map 335 338 9000000 10066 80000000
prng_get_entropy 8
partition_create_memextent 1
memextent_configure 339 0 100000000000 10007
object_activate 339
vcpu_bind_virq 2 3 20
cspace_copy_cap_from 0 2 0 1
partition_create_memextent 1
memextent_configure_derive 33b 339 0 100000000000 10007
object_activate 33b
partition_create_memextent 1
memextent_configure_derive 33c 337 0 40000000 10106
object_activate 33c
memextent_modify 33c 80000000
partition_create_cspace 1
cspace_configure 33d 400
object_activate 33d
partition_create_thread 1
vcpu_configure 400 8000000000000109
vcpu_set_affinity 400 0 ffffffffffffffff
vcpu_set_priority 400 20
vcpu_set_timeslice 400 4c4b40
cspace_attach_thread 33d 400
partition_create_memextent 1
memextent_configure_derive 401 339 0 100000000000 10007
object_activate 401
partition_create_memextent 1
memextent_configure_derive 402 337 0 40000000 10106
object_activate 402
memextent_modify 402 80000000
partition_create_addrspace 1
addrspace_configure 403 3
partition_create_memextent 1
memextent_configure_derive 404 336 72000 1000 6
object_activate 404
addrspace_configure_info_area 403 404 30000000
object_activate 403
addrspace_map 403 404 30000000 f0044 80000000
addrspace_attach_thread 403 400
partition_create_vpm_group 1
object_activate 405
vpm_group_attach_vcpu 405 400
${
  [1, 2, 3, 4, 5, 6, 7].map((core) =>
    `partition_create_thread 1
vcpu_configure ${(0x405 + core).toString(16)} 8000000000000109
vcpu_set_affinity ${(0x405 + core).toString(16)} ${core} ffffffffffffffff
vcpu_set_priority ${(0x405 + core).toString(16)} 20
vcpu_set_timeslice ${(0x405 + core).toString(16)} 4c4b40
cspace_attach_thread 33d ${(0x405 + core).toString(16)}
addrspace_attach_thread 403 ${(0x405 + core).toString(16)}
vpm_group_attach_vcpu 405 ${(0x405 + core).toString(16)} ${core}`
  ).join("\n")
}
partition_create_vic 1
vic_configure 40d 8 3dc 3 2000
vic_configure 40d 8 3dc 3
object_activate 40d
vic_attach_vcpu 40d 400
${[1, 2, 3, 4, 5, 6, 7].map((core) => `vic_attach_vcpu 40d ${(0x405 + core).toString(16)} ${core}`).join("\n")}
${
  [1, 2, 3, 4, 5, 6, 7].map((core) =>
    `object_activate ${(0x405 + core).toString(16)}
vcpu_bind_virq ${(0x405 + core).toString(16)} 3 ${(0x20 + core).toString(16)}`
  ).join("\n")
}
object_activate 400
vcpu_bind_virq 400 3 28
HWIRQS
partition_create_msgqueue 1
msgqueue_configure 40e f00008
object_activate 40e
partition_create_msgqueue 1
msgqueue_configure 40f f00008
object_activate 40f
cspace_copy_cap_from 0 40e 33d 1
cspace_copy_cap_from 0 40f 33d 2
msgqueue_bind_receive_virq 40e 3 2a
msgqueue_bind_send_virq 40f 3 29
msgqueue_bind_send_virq 40e 40d 3c0
msgqueue_bind_receive_virq 40f 40d 3c1
addrspace_attach_vdevice 403 40d 0 8000000 10000
${
  [0, 1, 2, 3, 4, 5, 6, 7].map((core) =>
    `addrspace_attach_vdevice 403 40d ${core + 1} ${(0x80a0000 + core * 0x20000).toString(16)} 20000 ${core === 7 ? 3 : 1}`
  ).join("\n")
}
memextent_donate 80000000 1 339 40000000 40000000
memextent_donate 80000000 339 401 40000000 40000000
addrspace_map 403 401 40000000 f0077 80000001 40000000 40000000
addrspace_map 403 337 0 10066 80000000
addrspace_map 403 338 9000000 10066 80000000
cspace_copy_cap_from 0 2 33d 2
partition_create_memextent 1
memextent_configure_derive 410 336 6d000 2000 6
object_activate 410
addrspace_map 403 410 804ed000 f0044 80000000
addrspace_map 335 401 40f00000 f0066 80000001 40f00000 4000
addrspace_unmap 335 401 40f00000 80000001 40f00000 4000
vcpu_poweron 400 41000000 40f00000
`.trim().split("\n");

Deno.test("the boot makes the recorded hypercalls in the recorded order", () => {
  const { vcpu } = booted();
  const calls = vcpu.calls.map(({ name, args }) => [name, ...args.map((value) => value.toString(16))].join(" "));
  const at = RECORDED.indexOf("HWIRQS");
  assert.deepEqual(calls.slice(0, at), RECORDED.slice(0, at));
  const binds = calls.slice(at, at + 235);
  assert.equal(binds[0], "hwirq_bind_virq 4 40d 10");
  assert.equal(binds[234], "hwirq_bind_virq 334 40d ff");
  assert.deepEqual(calls.slice(at + 235), RECORDED.slice(at + 1));
  assert.equal(calls.length, 398);
});

Deno.test("the primary's devicetree gets /hypervisor and keeps everything else", () => {
  const { vcpu } = booted();
  const read = readDevicetree(vcpu.read(DT, 0x4000)!);
  assert.ok(read.ok);
  const { root } = read.tree;
  assert.deepEqual(root.children.map(({ name }) => name), ["chosen", "hypervisor"]);
  const hypervisor = findNode(root, "/hypervisor")!;
  assert.deepEqual(readStrings(hypervisor, "compatible"), ["qcom,gunyah-hypervisor-1.0", "qcom,gunyah-hypervisor", "simple-bus"]);
  assert.equal(readNumber(findNode(root, "/hypervisor/qcom,gunyah-vm")!, "qcom,vmid", 1), 3n);
  const rpc = findNode(root, "/hypervisor/qcom,resource-manager-rpc@0000000000000000")!;
  assert.equal(readString(rpc, "compatible"), "gunyah-resource-manager");
  assert.deepEqual(rpc.properties.get("reg"), cells64(0n, 1n));
  assert.deepEqual(readCells(rpc, "interrupts"), [0, 0x3a0, 1, 0, 0x3a1, 1]);
});

/** All that /hypervisor is, in each form: nodes by path with their properties. */
const FORMS: Record<HypervisorNode, Record<string, Record<string, PropertyValue>>> = {
  platform: {
    "": {
      "#address-cells": 2,
      "#size-cells": 0,
      compatible: ["qcom,gunyah-hypervisor-1.0", "qcom,gunyah-hypervisor", "simple-bus"],
    },
    "/qcom,gunyah-vm": { compatible: ["qcom,gunyah-vm-id-1.0", "qcom,gunyah-vm-id"], "qcom,vendor": "Qualcomm", "qcom,vmid": 3 },
    "/qcom,resource-manager-rpc@0000000000000000": {
      compatible: ["gunyah-resource-manager", "qcom,resource-manager-1-0", "qcom,resource-manager"],
      interrupts: [0, 0x3a0, 1, 0, 0x3a1, 1],
      reg: cells64(0n, 1n),
      "qcom,is-full-duplex": true,
      "qcom,free-irq-start": 0x3c0,
      "qcom,tx-message-size": 240,
      "qcom,rx-message-size": 240,
      "qcom,tx-queue-depth": 8,
      "qcom,rx-queue-depth": 8,
    },
  },
  binding: {
    "": { compatible: ["gunyah-hypervisor"], "#address-cells": 2, "#size-cells": 0 },
    "/gunyah-resource-mgr@0": {
      compatible: ["gunyah-resource-manager"],
      interrupts: [0, 0x3a0, 1, 0, 0x3a1, 1],
      reg: cells64(0n, 1n),
    },
  },
  "binding-v6": {
    "": { compatible: ["gunyah-hypervisor-1.0", "gunyah-hypervisor"], "#address-cells": 2, "#size-cells": 0 },
    "/gunyah-resource-mgr@0": {
      compatible: ["gunyah-resource-manager-1-0", "gunyah-resource-manager"],
      interrupts: [0, 0x3a0, 1, 0, 0x3a1, 1],
      reg: cells64(0n, 1n),
    },
  },
};

for (const form of HYPERVISOR_NODES) {
  Deno.test(`/hypervisor of the form ${form} has the nodes, properties and interrupts that are documented, and no others`, () => {
    const { vcpu } = booted(form);
    const read = readDevicetree(vcpu.read(DT, 0x4000)!);
    assert.ok(read.ok);
    const nodes = [...walk(findNode(read.tree.root, "/hypervisor")!)];
    const found = nodes.map(({ path, node: { properties } }) => [path.replace(/^\/$/, ""), Object.fromEntries(properties)]);
    const documented = Object.entries(FORMS[form]).map(([path, properties]) => [path, Object.fromEntries(node("", properties).properties)]);
    assert.deepEqual(Object.fromEntries(found), Object.fromEntries(documented));
  });
}

Deno.test("a devicetree of more than 16 KiB is patched in a larger window", () => {
  const vcpu = recordedVcpu();
  vcpu.write(DT, writeDevicetree(devicetree(node("", {}, [node("big", { data: new Uint8Array(50_000).fill(7) })]))));
  new ResourceManager().start(vcpu, 0n, BigInt(ENVIRONMENT_IPA));
  const read = readDevicetree(vcpu.read(DT, 0x10000)!);
  assert.ok(read.ok);
  assert.deepEqual(read.tree.root.children.map(({ name }) => name), ["big", "hypervisor"]);
  const maps = vcpu.calls.filter(({ name, args }) => name === "addrspace_map" && args[0] === 0x335n && args[2] === BigInt(DT));
  assert.deepEqual(maps.map(({ args }) => args.at(-1)), [0x4000n, 0xd000n]);
});

Deno.test("the log ring begins with its write index and size, and each line with a time", () => {
  const { vcpu } = booted();
  const ring = vcpu.read(0x804e_d000, 0x2000)!;
  const view = new DataView(ring.buffer);
  assert.equal(view.getUint32(4, true), 0x1ff8);
  const text = new TextDecoder().decode(ring.subarray(8, 8 + view.getUint32(0, true)));
  assert.match(text, /^0\.001500: Resource Manager version: /);
  assert.match(text, /Log buffer: 0x804ed000\n/);
});

Deno.test("a primary whose devicetree is malformed starts all the same, and the log says so", () => {
  const vcpu = recordedVcpu();
  new ResourceManager().start(vcpu, 0n, BigInt(ENVIRONMENT_IPA));
  assert.equal(vcpu.calls.at(-1)?.name, "vcpu_poweron");
  assert.match(new TextDecoder().decode(vcpu.read(0x804e_d000, 0x400)!), /left as it is: .*magic/);
});

Deno.test("an environment that cannot be read stops the boot by name", () => {
  const vcpu = recordedVcpu();
  vcpu.write(ENVIRONMENT_IPA, new Uint8Array(4));
  assert.throws(() => new ResourceManager().start(vcpu, 0n, BigInt(ENVIRONMENT_IPA)), /RVME/);
});

Deno.test("every vIRQ that is bound to the Resource Manager is enabled", () => {
  const { vcpu } = booted();
  assert.deepEqual([...vcpu.enabled].sort((a, b) => a - b), Array.from({ length: 11 }, (_, index) => 0x20 + index));
});
