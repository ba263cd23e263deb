// Lines 68 to 91 and 133 to 135 of the checklist (docs/spec/resource-manager.md §14): configuration
// of VMs, what their owner gets, firmware.

import assert from "node:assert/strict";
import { MEM_DONATE, MEM_LEND } from "../../../../src/machine/abi/rpc/messages/memory.ts";
import { FW_MILESTONE, FW_SET_VM_FIRMWARE, VM_SET_FIRMWARE_MEM } from "../../../../src/machine/abi/rpc/messages/platform.ts";
import { ResourceType, VM_GET_HYP_RESOURCES } from "../../../../src/machine/abi/rpc/messages/resources.ts";
import { VM_AUTH_IMAGE, VM_CONFIG_IMAGE, VM_INIT } from "../../../../src/machine/abi/rpc/messages/configuration.ts";
import { VM_ALLOCATE, VM_START } from "../../../../src/machine/abi/rpc/messages/lifecycle.ts";
import { VM_GET_STATE } from "../../../../src/machine/abi/rpc/messages/queries.ts";
import { VmState } from "../../../../src/machine/abi/rpc/messages/vm.ts";
import { type DevicetreeNode, findNode, node, setProperties } from "../../../../src/machine/devicetree/tree.ts";
import { devicetree } from "../../../../src/machine/devicetree/tree.ts";
import { writeDevicetree } from "../../../../src/machine/devicetree/writer.ts";
import { BASE, bell, DT_OFFSET, DT_SIZE, guestRoot, guestTree, HOST_BASE, Machine, MEMORY, pair, rmRpc } from "../machine.ts";

const IMAGE = { image_offset: 0n, image_size: 0n, dt_offset: BigInt(DT_OFFSET), dt_size: BigInt(DT_SIZE) };
const VIRQ_INVALID = 0xffff_ffff;

/** A guest's tree with a change. */
function changed(change: (root: DevicetreeNode) => void, cpus = 1): Uint8Array {
  const root = guestRoot("changed", [], cpus);
  change(root);
  return writeDevicetree(devicetree(root));
}

/** A guest that the hypervisor schedules. */
function scheduled(more: Record<string, number | number[]>): Uint8Array {
  const settings = { affinity: "static", "affinity-map": [0], "sched-priority": 0xffff_ffff, "sched-timeslice": 2000 };
  return changed((root) => setProperties(findNode(root, "/gunyah-vm-config/vcpus")!, { ...settings, ...more }));
}

/** VM_INIT's result for a tree, and the state then. */
function init(tree: Uint8Array): [error: string, state: number, machine: Machine] {
  const machine = new Machine();
  const { vmid } = machine.configured(tree);
  const { error } = machine.primary.ask(VM_INIT, { vmid });
  return [error, machine.primary.get(VM_GET_STATE, { vmid }).vm_state, machine];
}

/** A VM with its own parcel, and VM_CONFIG_IMAGE's result for a changed request. */
function configure(more: Partial<typeof IMAGE & { auth_type: number; handle: number }>, forIt = true): [error: string, state: number] {
  const { primary } = new Machine();
  const { vmid } = primary.get(VM_ALLOCATE, { vmid: 0 });
  const acl = [{ vmid: forIt ? vmid : 4, rights: 7 }];
  const sgl = [{ address: BigInt(HOST_BASE), size: BigInt(MEMORY) }];
  const { handle } = primary.get(MEM_LEND, { mem_type: 0, flags: 0, label: 0, acl, sgl, attributes: [] });
  const { error } = primary.ask(VM_CONFIG_IMAGE, { vmid, auth_type: 0, handle, ...IMAGE, ...more });
  return [error, primary.get(VM_GET_STATE, { vmid }).vm_state];
}

Deno.test("R68: VM_CONFIG_IMAGE needs exactly 40 bytes", () => {
  const { primary } = new Machine();
  for (const length of [39, 44]) assert.equal(primary.askRaw(VM_CONFIG_IMAGE.id, new Uint8Array(length)).payload[0], 4);
});

Deno.test("R69: VM_CONFIG_IMAGE with a parcel that is not for the VM is MEM_INVALID, and the state 8", () => {
  assert.deepEqual(configure({}, false), ["MEM_INVALID", 8]);
});

Deno.test("R70: VM_CONFIG_IMAGE with a devicetree beyond the parcel is ARGUMENT_INVALID", () => {
  assert.deepEqual(configure({ dt_offset: BigInt(MEMORY) - 0x1000n, dt_size: 0x2000n }), ["ARGUMENT_INVALID", 8]);
});

Deno.test("R71: VM_CONFIG_IMAGE with the type of authentication 3 is ARGUMENT_INVALID", () => {
  assert.deepEqual(configure({ auth_type: 3 }), ["ARGUMENT_INVALID", 8]);
});

Deno.test("R72: the types 0 and 2 lead to the state 1, INIT, the type 1 to the state 6, AUTH", () => {
  assert.deepEqual([0, 1, 2].map((auth_type) => configure({ auth_type })), [["OK", 1], ["OK", 6], ["OK", 1]]);
});

Deno.test("R73: VM_AUTH_IMAGE in the state INIT is VM_STATE", () => {
  const machine = new Machine();
  const { vmid } = machine.configured(guestTree("auth", []));
  assert.equal(machine.primary.ask(VM_AUTH_IMAGE, { vmid, parameters: [] }).error, "VM_STATE");
});

Deno.test("R74: VM_INIT with a reserved half-word that is not zero is MSG_INVALID", () => {
  const machine = new Machine();
  const { vmid } = machine.configured(guestTree("init", []));
  assert.equal(machine.primary.askRaw(VM_INIT.id, Uint8Array.of(vmid, 0, 1, 0)).payload[0], 4);
});

Deno.test("R75: VM_INIT of a tree without image-name is MEM_INVALID", () => {
  const tree = changed((root) => findNode(root, "/gunyah-vm-config")!.properties.delete("image-name"));
  assert.deepEqual(init(tree).slice(0, 2), ["MEM_INVALID", VmState.InitFailed]);
});

Deno.test("R76: VM_INIT of a tree with /memory@80000000 is MEM_INVALID", () => {
  const tree = changed((root) => root.children.push(node("memory@80000000", { device_type: "memory" })));
  assert.equal(init(tree)[0], "MEM_INVALID");
});

Deno.test("R77: VM_INIT of a VM that the hypervisor schedules without affinity-map is MEM_INVALID", () => {
  assert.equal(init(scheduled({ "affinity-map": [] }))[0], "MEM_INVALID");
  assert.equal(init(scheduled({}))[0], "OK");
});

Deno.test("R78: VM_INIT of such a VM at its owner's priority is NORESOURCE, and the state 8", () => {
  assert.deepEqual(init(scheduled({ "sched-priority": 0 })).slice(0, 2), ["NORESOURCE", 8]);
});

Deno.test("R79: VM_INIT of a proxy-scheduled VM makes vCPUs of priority 0", () => {
  const [error, state, machine] = init(guestTree("proxy", []));
  assert.deepEqual([error, state], ["OK", VmState.Ready]);
  assert.equal(machine.system.vcpu(0x80).settings.priority, 0);
});

Deno.test("R80: VM_INIT of a VM with more CPUs than cores is NORESOURCE", () => {
  assert.equal(init(guestTree("many", [], 5))[0], "NORESOURCE");
  assert.equal(init(guestTree("all", [], 4))[0], "OK");
});

Deno.test("R81: VM_INIT with two redistributor regions or #interrupt-cells other than 3 in the configured GIC is MEM_INVALID", () => {
  for (const wrong of [{ "#redistributor-regions": 2 }, { "#interrupt-cells": 2 }]) {
    assert.equal(init(changed((root) => setProperties(findNode(root, "/interrupt-controller")!, wrong)))[0], "MEM_INVALID");
  }
});

Deno.test("R82: VM_GET_HYP_RESOURCES before VM_CONFIG_IMAGE is NORESOURCE, of an unknown VM ARGUMENT_INVALID", () => {
  const { primary } = new Machine();
  const { vmid } = primary.get(VM_ALLOCATE, { vmid: 0 });
  assert.deepEqual([vmid, 0x99].map((each) => primary.ask(VM_GET_HYP_RESOURCES, { vmid: each }).error), ["NORESOURCE", "ARGUMENT_INVALID"]);
});

/** The resources of a VM with these vdevices, as its owner gets them. */
function resources(vdevices: DevicetreeNode[], cpus = 1) {
  const machine = new Machine();
  const { vmid } = machine.start(guestTree("shared", vdevices, cpus));
  return { ...machine.primary.get(VM_GET_HYP_RESOURCES, { vmid }), vmid, machine };
}

Deno.test("R83: the resources of a proxy-scheduled VM with 3 CPUs begin with 3 of type 4, labelled 0 to 2", () => {
  const listed = resources([bell(7)], 3).resources.slice(0, 3);
  assert.deepEqual(listed.map(({ type, label }) => [type, label]), [[4, 0], [4, 1], [4, 2]]);
});

Deno.test("R84: entries of vCPUs have the partner 0, those of vdevices the VM's id", () => {
  const { resources: listed, vmid } = resources([bell(7)]);
  assert.deepEqual(listed.map(({ partner }) => partner), [0, vmid]);
});

Deno.test("R85: a reply has 8 bytes and 44 for each entry", () => {
  const { machine, vmid } = resources([bell(7), pair(8, { "peer-default": true })]);
  assert.equal(machine.primary.askRaw(VM_GET_HYP_RESOURCES.id, Uint8Array.of(vmid, 0, 0, 0)).payload.length, 8 + 44 * 4);
});

Deno.test("R86: a guest's doorbell is the owner's type 0, with vIRQ 0 and the label of the devicetree", () => {
  const [, entry] = resources([bell(7)]).resources;
  assert.deepEqual([entry.type, entry.virq, entry.label], [ResourceType.DoorbellSource, 0, 7]);
});

Deno.test("R87: a guest's doorbell-source is the owner's type 1, with a vIRQ from 960 up", () => {
  const source = node("source", { "vdevice-type": "doorbell-source", "peer-default": true, "qcom,label": 9 });
  const [, entry] = resources([source]).resources;
  assert.deepEqual([entry.type, entry.label], [ResourceType.Doorbell, 9]);
  assert.ok(entry.virq >= 960);
});

Deno.test("R88: a queue pair with the owner gives it a type 2 and a type 3 of one label", () => {
  const entries = resources([pair(10, { "peer-default": true })]).resources.slice(1);
  assert.deepEqual(entries.map(({ type, label }) => [type, label]), [[2, 10], [3, 10]]);
});

Deno.test("R89: rm-rpc, shm and iomem vdevices are never listed", () => {
  const buffer = (type: string, more: Record<string, string> = {}) =>
    node(type, { "vdevice-type": type, "peer-default": true, "qcom,label": 1, ...more }, [
      node("memory", { label: 1, "allocate-base": true, optional: true }),
    ]);
  const { resources: listed } = resources([rmRpc(), buffer("shm"), buffer("iomem", { generate: "/soc/io" })]);
  assert.deepEqual(listed.map(({ type }) => type), [ResourceType.Vcpu]);
});

Deno.test("R90: the primary gets the Resource Manager's vCPU under the id 255", () => {
  const { resources: [entry, ...more] } = new Machine().primary.get(VM_GET_HYP_RESOURCES, { vmid: 255 });
  assert.deepEqual([entry.type, entry.cap, entry.virq, more.length], [ResourceType.Vcpu, 2n, 0, 0]);
});

Deno.test("R91: a VM without firmware starts at base-address + image_offset, with X0 at base-address + dt_offset", () => {
  const machine = new Machine();
  const { primary } = machine;
  const { vmid } = primary.get(VM_ALLOCATE, { vmid: 0 });
  machine.system.act((vcpu) => vcpu.write(HOST_BASE + DT_OFFSET, guestTree("offset", [])));
  const sgl = [{ address: BigInt(HOST_BASE), size: BigInt(MEMORY) }];
  const { handle } = primary.get(MEM_LEND, { mem_type: 0, flags: 0, label: 0, acl: [{ vmid, rights: 7 }], sgl, attributes: [] });
  primary.get(VM_CONFIG_IMAGE, { vmid, auth_type: 0, handle, ...IMAGE, image_offset: 0x4000n, image_size: 0x1000n });
  primary.get(VM_INIT, { vmid });
  primary.get(VM_START, { vmid });
  const { registers } = machine.system.vcpu(vmid);
  assert.deepEqual([registers.pc, registers.getX(0)], [BigInt(BASE + 0x4000), BigInt(BASE + DT_OFFSET)]);
  assert.ok(primary.get(VM_GET_HYP_RESOURCES, { vmid }).resources.every(({ virq }) => virq !== VIRQ_INVALID));
});

const FIRMWARE = 0x4700_0000;

/** Donates a page of firmware and tells the Resource Manager of it. */
function setFirmware({ primary }: Machine): string {
  const sgl = [{ address: BigInt(FIRMWARE), size: 0x1000n }];
  const donation = primary.get(MEM_DONATE, { mem_type: 0, flags: 0, label: 0, acl: [{ vmid: 255, rights: 7 }], sgl, attributes: [] });
  return primary.ask(FW_SET_VM_FIRMWARE, { auth_type: 2, ...donation, offset: 0n, size: 0x1000n }).error;
}

Deno.test("R133: FW_MILESTONE twice is DENIED, and so is FW_SET_VM_FIRMWARE behind it", () => {
  const machine = new Machine();
  const milestone = () => machine.primary.ask(FW_MILESTONE, {}).error;
  assert.deepEqual([milestone(), milestone(), setFirmware(machine)], ["OK", "DENIED", "DENIED"]);
});

Deno.test("R134: VM_START of a protected VM before the milestone is DENIED, and the state 8", () => {
  const machine = new Machine();
  assert.equal(setFirmware(machine), "OK");
  const { vmid, handle } = machine.configured(guestTree("early", []), 2);
  machine.primary.get(VM_SET_FIRMWARE_MEM, { vmid, handle, offset: 0n, size: 0x1000n });
  machine.primary.get(VM_INIT, { vmid });
  assert.equal(machine.primary.ask(VM_START, { vmid }).error, "DENIED");
  assert.equal(machine.primary.get(VM_GET_STATE, { vmid }).vm_state, 8);
});

Deno.test("R135: a protected VM starts at its firmware, with X0 the devicetree, X1 the image's address and X2 its size", () => {
  const machine = new Machine();
  const { primary } = machine;
  setFirmware(machine);
  primary.get(FW_MILESTONE, {});
  const { vmid } = primary.get(VM_ALLOCATE, { vmid: 0 });
  machine.system.act((vcpu) => vcpu.write(HOST_BASE + DT_OFFSET, guestTree("protected", [])));
  const sgl = [{ address: BigInt(HOST_BASE), size: BigInt(MEMORY) }];
  const { handle } = primary.get(MEM_LEND, { mem_type: 0, flags: 0, label: 0, acl: [{ vmid, rights: 7 }], sgl, attributes: [] });
  primary.get(VM_CONFIG_IMAGE, { vmid, auth_type: 2, handle, ...IMAGE, image_offset: 0x4000n, image_size: 0x8000n });
  primary.get(VM_SET_FIRMWARE_MEM, { vmid, handle, offset: 0x18_0000n, size: 0x2000n });
  primary.get(VM_INIT, { vmid });
  primary.get(VM_START, { vmid });
  const { registers } = machine.system.vcpu(vmid);
  const started = [registers.pc, ...[0, 1, 2].map((index) => registers.getX(index))];
  assert.deepEqual(started, [BigInt(BASE + 0x18_0000), BigInt(BASE + DT_OFFSET), BigInt(BASE + 0x4000), 0x8000n]);
});
