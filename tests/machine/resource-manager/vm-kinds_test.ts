// Kinds of VMs: what is theirs alone, what their owner may share, who vouches for them.

import assert from "node:assert/strict";
import { wayOutText } from "../../../src/kit/support/text/way-out.ts";
import { MEM_DONATE, MEM_LEND, MEM_RECLAIM, MEM_SHARE } from "../../../src/machine/abi/rpc/messages/memory.ts";
import { FW_MILESTONE, FW_SET_VM_FIRMWARE, VM_SET_FIRMWARE_MEM } from "../../../src/machine/abi/rpc/messages/platform.ts";
import { VM_AUTH_IMAGE, VM_CONFIG_IMAGE, VM_INIT } from "../../../src/machine/abi/rpc/messages/configuration.ts";
import { VM_ALLOCATE, VM_DEALLOCATE, VM_START, VM_STOP } from "../../../src/machine/abi/rpc/messages/lifecycle.ts";
import { VM_GET_STATE, VM_SET_STATUS } from "../../../src/machine/abi/rpc/messages/queries.ts";
import { AuthType, VmState } from "../../../src/machine/abi/rpc/messages/vm.ts";
import { readDevicetree } from "../../../src/machine/devicetree/reader.ts";
import {
  cells,
  cells64,
  devicetree,
  type DevicetreeNode,
  findNode,
  node,
  readCell,
  setProperties,
} from "../../../src/machine/devicetree/tree.ts";
import { writeDevicetree } from "../../../src/machine/devicetree/writer.ts";
import { checkInvariants } from "../hypervisor/invariants.ts";
import { BASE, DT_OFFSET, DT_SIZE, guestRoot, guestTree, HOST_BASE, Machine, MEMORY, rmRpc } from "./machine.ts";

const give = { mem_type: 0, flags: 0, attributes: [] };
const IMAGE = { image_offset: 0n, image_size: 0n, dt_offset: BigInt(DT_OFFSET), dt_size: BigInt(DT_SIZE) };
const memory = (address: number, size: number) => [{ address: BigInt(address), size: BigInt(size) }];

/** Has firmware loaded, so that protected VMs may start. */
function withFirmware(): Machine {
  const machine = new Machine();
  const { primary } = machine;
  const firmware = primary.get(MEM_DONATE, { ...give, label: 0, acl: [{ vmid: 255, rights: 7 }], sgl: memory(0x4700_0000, 0x1000) });
  primary.get(FW_SET_VM_FIRMWARE, { auth_type: 2, ...firmware, offset: 0n, size: 0x1000n });
  primary.get(FW_MILESTONE, {});
  return machine;
}

/** Makes a VM up to READY whose image parcel is given so. */
function made(
  machine: Machine,
  auth_type: number,
  share: boolean,
  rights: number,
  tree = guestTree("kind", [rmRpc()]),
): { vmid: number; handle: number } {
  const { primary } = machine;
  const { vmid } = primary.get(VM_ALLOCATE, { vmid: 0 });
  machine.system.act((vcpu) => vcpu.write(HOST_BASE + DT_OFFSET, tree));
  const acl = [{ vmid, rights }, ...(share ? [{ vmid: 3, rights: 7 }] : [])];
  const { handle } = primary.get(share ? MEM_SHARE : MEM_LEND, { ...give, label: 0, acl, sgl: memory(HOST_BASE, MEMORY) });
  primary.get(VM_CONFIG_IMAGE, { vmid, auth_type, handle, ...IMAGE });
  if (auth_type === AuthType.Platform) primary.get(VM_AUTH_IMAGE, { vmid, parameters: [] });
  if (auth_type === AuthType.Android) primary.get(VM_SET_FIRMWARE_MEM, { vmid, handle, offset: 0x18_0000n, size: 0x1000n });
  primary.get(VM_INIT, { vmid });
  return { vmid, handle };
}

Deno.test("an unauthenticated VM starts from shared memory, which its owner can still read and write", () => {
  const machine = new Machine();
  const { vmid } = made(machine, AuthType.None, true, 7);
  machine.primary.get(VM_START, { vmid });
  machine.system.act((vcpu) => assert.ok(vcpu.write(HOST_BASE, Uint8Array.of(7))));
  assert.deepEqual(machine.system.guest(vmid).read(BASE, 1), Uint8Array.of(7));
});

Deno.test("a VM that somebody vouches for starts from memory that is lent to it alone only", () => {
  for (const auth of [AuthType.Platform, AuthType.Android]) {
    for (const [share, rights] of [[true, 7], [false, 6]] as const) {
      const machine = withFirmware();
      const { vmid } = made(machine, auth, share, rights);
      assert.equal(machine.primary.ask(VM_START, { vmid }).error, "NORESOURCE");
      assert.match(machine.system.hypervisor.trace.reasons.last!.rule, /not lent to the VM alone, with all rights/);
    }
  }
});

Deno.test("a protected VM's memory, and the buffers that its owner cannot read, come back as zeros; what both read comes back as it is", () => {
  const machine = withFirmware();
  const { primary, system } = machine;
  const { vmid, handle } = made(machine, AuthType.Android, false, 7);
  const lent = primary.get(MEM_LEND, { ...give, label: 8, acl: [{ vmid, rights: 6 }], sgl: memory(0x4710_0000, 0x1000) });
  const both = [{ vmid, rights: 6 }, { vmid: 3, rights: 6 }];
  const shared = primary.get(MEM_SHARE, { ...give, label: 9, acl: both, sgl: memory(0x4720_0000, 0x1000) });
  primary.get(VM_START, { vmid });
  assert.equal(system.act((vcpu) => vcpu.read(HOST_BASE, 1)), undefined, "its owner reads nothing of it");
  const guest = system.guest(vmid);
  // The buffers follow the info page, in the order in which they were made.
  for (const at of [BASE, 0x4000_1000, 0x4000_2000]) assert.ok(guest.write(at, Uint8Array.of(0x55)), at.toString(16));
  machine.end({ vmid, handle });
  for (const parcel of [lent, shared]) primary.get(MEM_RECLAIM, { ...parcel, flags: 0 });
  const left = [HOST_BASE, 0x4710_0000, 0x4720_0000].map((pa) => system.act((vcpu) => vcpu.read(pa, 1))![0]);
  assert.deepEqual(left, [0, 0, 0x55]);
  checkInvariants(system.hypervisor);
});

Deno.test("a peripheral's VM has a platform id, is vouched for, has no emulated devices, and tells its status", () => {
  const machine = new Machine();
  const { primary, system } = machine;
  const before = machine.usage();
  assert.equal(primary.ask(VM_ALLOCATE, { vmid: 5 }).error, "OK");
  system.act((vcpu) => vcpu.write(HOST_BASE + DT_OFFSET, guestTree("adsp", [rmRpc()])));
  // The carve-out: memory of the owner that it lends with its own label.
  const { handle } = primary.get(MEM_LEND, { ...give, label: 0x77, acl: [{ vmid: 5, rights: 7 }], sgl: memory(HOST_BASE, MEMORY) });
  primary.get(VM_CONFIG_IMAGE, { vmid: 5, auth_type: AuthType.Platform, handle, ...IMAGE, image_offset: 0x2000n, image_size: 0x4000n });
  assert.equal(primary.get(VM_GET_STATE, { vmid: 5 }).vm_state, VmState.Auth);
  assert.equal(primary.ask(VM_INIT, { vmid: 5 }).error, "VM_STATE", "not before it is authenticated");
  primary.get(VM_AUTH_IMAGE, { vmid: 5, parameters: [{ type: 0, value: 1 }] });
  primary.get(VM_INIT, { vmid: 5 });
  primary.get(VM_START, { vmid: 5 });
  const vcpu = system.vcpu(5);
  assert.equal(vcpu.registers.pc, BigInt(BASE + 0x2000));
  assert.deepEqual(vcpu.addressSpace!.vmmioRanges, [], "accesses to devices are its own faults");
  machine.guest(5).get(VM_SET_STATUS, { vm_status: 0, os_status: 4, app_status: 9 });
  assert.deepEqual(primary.get(VM_GET_STATE, { vmid: 5 }), { vm_state: VmState.Running, os_state: 4, app_status: 9 });
  primary.get(VM_STOP, { vmid: 5, flags: 1, reason: 0 });
  machine.reset(5);
  primary.get(MEM_RECLAIM, { handle, flags: 0 });
  primary.get(VM_DEALLOCATE, { vmid: 5 });
  assert.deepEqual(machine.usage(), before);
});

/** A tree with a child of /reserved-memory for label 6 at 0x9000_0000. */
function reserving(): Uint8Array {
  const root = guestRoot("reserving", [rmRpc()]);
  const child = node("swiotlb@90000000", { reg: cells64(0x9000_0000, 0x2000), "qcom,label": 6, compatible: "restricted-dma-pool" });
  root.children.push(node("reserved-memory", { "#address-cells": 2, "#size-cells": 2, ranges: true }, [child]));
  return writeDevicetree(devicetree(root));
}

Deno.test("a parcel whose label a child of /reserved-memory has goes where that child is, and the child gets its handle", () => {
  const machine = new Machine();
  const { primary, system } = machine;
  const { vmid } = made(machine, AuthType.None, false, 7, reserving());
  const acl = [{ vmid, rights: 6 }, { vmid: 3, rights: 6 }];
  const { handle } = primary.get(MEM_SHARE, { ...give, label: 6, acl, sgl: memory(0x4710_0000, 0x2000) });
  system.act((vcpu) => vcpu.write(0x4710_1000, Uint8Array.of(0x66)));
  primary.get(VM_START, { vmid });
  assert.deepEqual(system.guest(vmid).read(0x9000_1000, 1), Uint8Array.of(0x66));
  const read = readDevicetree(system.guest(vmid).read(BASE + DT_OFFSET, DT_SIZE)!);
  assert.ok(read.ok);
  const reserved = findNode(read.tree.root, "/reserved-memory")!;
  assert.deepEqual(reserved.children.map(({ name }) => name), ["swiotlb@90000000"]);
  assert.equal(readCell(reserved.children[0], "qcom,rm-mem-handle"), handle);
});

Deno.test("a parcel of another size than its child of /reserved-memory, and a child without a parcel, fail VM_START", () => {
  for (const size of [0x1000, 0]) {
    const machine = new Machine();
    const { vmid } = made(machine, AuthType.None, false, 7, reserving());
    const acl = [{ vmid, rights: 6 }, { vmid: 3, rights: 6 }];
    if (size > 0) machine.primary.get(MEM_SHARE, { ...give, label: 6, acl, sgl: memory(0x4710_0000, size) });
    assert.equal(machine.primary.ask(VM_START, { vmid }).error, "NORESOURCE");
  }
});

Deno.test("private memory comes after the image, whatever was offered before it", () => {
  const machine = new Machine();
  const { primary, system } = machine;
  const { vmid } = made(machine, AuthType.None, false, 7);
  const anywhere = primary.get(MEM_LEND, { ...give, label: 3, acl: [{ vmid, rights: 6 }], sgl: memory(0x4710_0000, 0x1000) });
  primary.get(MEM_LEND, { ...give, label: 0, acl: [{ vmid, rights: 7 }], sgl: memory(0x4720_0000, 0x20_0000) });
  primary.get(VM_START, { vmid });
  const guest = system.guest(vmid);
  assert.ok(guest.write(BASE + MEMORY + 0x1f_f000, Uint8Array.of(1)));
  assert.ok(anywhere.handle > 0);
});

Deno.test("vm-attrs reach the vCPUs, and what only trusted VMs may have is refused", () => {
  const tree = (properties: Record<string, string[] | true>, child?: DevicetreeNode) => {
    const root = guestRoot("attributes", []);
    const config = findNode(root, "/gunyah-vm-config")!;
    setProperties(config, properties);
    if (child !== undefined) setProperties(findNode(config, "/memory")!, { "is-direct": true });
    return writeDevicetree(devicetree(root));
  };
  const machine = new Machine();
  const { vmid } = machine.ready(tree({ "vm-attrs": ["ras-error-handler", "amu-counting-disabled"] }));
  assert.equal(system(machine, vmid) & 0x6n, 0x6n);
  const direct = machine.configured(tree({}, node("memory")), 0, HOST_BASE + MEMORY);
  assert.equal(machine.primary.ask(VM_INIT, { vmid: direct.vmid }).error, "ARGUMENT_INVALID");
});

/** Options of a VM's boot vCPU. */
function system(machine: Machine, vmid: number): bigint {
  return machine.system.vcpu(vmid).settings.options;
}

Deno.test("what VM_INIT refuses in a devicetree has its rule, its place in the parcel, and a way out", () => {
  const machine = new Machine();
  const root = guestRoot("proud", []);
  const vcpus = { affinity: "static", "affinity-map": [0], "sched-priority": 4, "sched-timeslice": 2000 };
  setProperties(findNode(root, "/gunyah-vm-config/vcpus")!, vcpus);
  const tree = writeDevicetree(devicetree(root));
  const { vmid, handle } = machine.configured(tree);
  assert.equal(machine.primary.ask(VM_INIT, { vmid }).error, "NORESOURCE");
  const { section, rule, object, values, wayOut } = machine.system.hypervisor.trace.reasons.last!;
  assert.deepEqual([section, rule, object], ["resource-manager 6.4", "an untrusted VM runs below its owner", "vm:0x80"]);
  assert.match(wayOutText(wayOut)!, /sched-priority = <\(-1\)> or lower/);
  const { at, ...more } = values as { at: string };
  assert.deepEqual(more, { path: "/gunyah-vm-config/vcpus", property: "sched-priority", given: 4, absolute: 36, owner: 32 });
  const [parcel, offset] = at.split("+");
  assert.equal(parcel, `parcel:0x${handle.toString(16)}`);
  // The offset is that of the property's token: length and value follow.
  const view = new DataView(tree.buffer, Number(offset) - DT_OFFSET);
  assert.deepEqual([view.getUint32(0), view.getUint32(4), view.getUint32(12)], [3, 4, 4]);
});

Deno.test("what does not fit into the cells or fields that are there is refused, and not cut", () => {
  const root = guestRoot("high", []);
  setProperties(root, { "#address-cells": 1, "#size-cells": 1 });
  setProperties(findNode(root, "/interrupt-controller")!, { reg: cells(0x3fff_0000, 0x1_0000, 0x3fe0_0000, 0x2_0000) });
  setProperties(findNode(root, "/memory")!, { reg: cells(0, 0x1000) });
  setProperties(findNode(root, "/gunyah-vm-config/memory")!, { "base-address": cells64(0x1_0000_0000) });
  const machine = new Machine();
  const { vmid } = machine.ready(writeDevicetree(devicetree(root)));
  assert.equal(machine.primary.ask(VM_START, { vmid }).error, "NORESOURCE");
  assert.match(machine.system.hypervisor.trace.reasons.last!.rule, /does not fit into/);

  for (const [property, value] of [["message-size", 0x1_0040], ["queue-depth", 0x1_0004]] as const) {
    const other = new Machine();
    const made = other.configured(guestTree("wide", [rmRpc({ [property]: value })]));
    assert.equal(other.primary.ask(VM_INIT, made).error, "NORESOURCE", property);
  }
});

Deno.test("firmware in its own parcel lies at firmware-address, is not memory of the VM, and is returned as zeros", () => {
  const machine = withFirmware();
  const { primary, system } = machine;
  const before = machine.usage();
  const root = guestRoot("separate", [rmRpc()]);
  setProperties(findNode(root, "/gunyah-vm-config/memory")!, { "firmware-address": cells64(0x7000_0000) });
  const tree = writeDevicetree(devicetree(root));
  const { vmid } = primary.get(VM_ALLOCATE, { vmid: 0 });
  system.act((vcpu) => vcpu.write(HOST_BASE + DT_OFFSET, tree));
  const acl = [{ vmid, rights: 7 }];
  const image = primary.get(MEM_LEND, { ...give, label: 0, acl, sgl: memory(HOST_BASE, MEMORY) });
  const firmware = primary.get(MEM_LEND, { ...give, label: 1, acl, sgl: memory(0x4710_0000, 0x4000) });
  primary.get(VM_CONFIG_IMAGE, { vmid, auth_type: 2, ...image, ...IMAGE });
  primary.get(VM_SET_FIRMWARE_MEM, { vmid, ...firmware, offset: 0x1000n, size: 0x2000n });
  primary.get(VM_INIT, { vmid });
  primary.get(VM_START, { vmid });
  assert.equal(system.vcpu(vmid).registers.pc, 0x7000_1000n);
  const guest = system.guest(vmid);
  assert.ok(guest.write(0x7000_1800, Uint8Array.of(1)));
  const read = readDevicetree(guest.read(BASE + DT_OFFSET, DT_SIZE)!);
  assert.ok(read.ok);
  assert.deepEqual(findNode(read.tree.root, "/memory")!.properties.get("reg"), cells64(BASE, MEMORY));
  assert.deepEqual(findNode(read.tree.root, "/reserved-memory")!.children.map(({ name }) => name), ["firmware@70001000"]);
  primary.get(VM_STOP, { vmid, flags: 1, reason: 0 });
  machine.reset(vmid);
  for (const parcel of [firmware, image]) primary.get(MEM_RECLAIM, { ...parcel, flags: 0 });
  primary.get(VM_DEALLOCATE, { vmid });
  assert.deepEqual(system.act((vcpu) => vcpu.read(0x4710_1800, 1)), Uint8Array.of(0));
  assert.deepEqual(machine.usage(), before);
});

Deno.test("firmware that has no right place in a VM keeps it from starting, by name", () => {
  const cases = [
    { address: undefined, separate: true, offset: 0n, size: 0x1000n, rule: /needs firmware-address/ },
    { address: 0x7000_0000, separate: false, offset: 0x18_0000n, size: 0x1000n, rule: /another address than the image/ },
    { address: undefined, separate: false, offset: 0n, size: 0x1000n, rule: /exactly one boot vCPU/, boots: 2 },
  ];
  for (const { address, separate, offset, size, rule, boots = 1 } of cases) {
    const machine = withFirmware();
    const { primary, system } = machine;
    const root = guestRoot("placeless", [], boots);
    if (address !== undefined) setProperties(findNode(root, "/gunyah-vm-config/memory")!, { "firmware-address": cells64(address) });
    if (boots > 1) { for (const cpu of findNode(root, "/cpus")!.children) setProperties(cpu, { status: "okay" }); }
    const { vmid } = primary.get(VM_ALLOCATE, { vmid: 0 });
    system.act((vcpu) => vcpu.write(HOST_BASE + DT_OFFSET, writeDevicetree(devicetree(root))));
    const acl = [{ vmid, rights: 7 }];
    const image = primary.get(MEM_LEND, { ...give, label: 0, acl, sgl: memory(HOST_BASE, MEMORY) });
    const other = primary.get(MEM_LEND, { ...give, label: 1, acl, sgl: memory(0x4710_0000, 0x4000) });
    primary.get(VM_CONFIG_IMAGE, { vmid, auth_type: 2, ...image, ...IMAGE });
    primary.get(VM_SET_FIRMWARE_MEM, { vmid, ...(separate ? other : image), offset, size });
    primary.get(VM_INIT, { vmid });
    assert.notEqual(primary.ask(VM_START, { vmid }).error, "OK");
    assert.match(system.hypervisor.trace.reasons.last!.rule, rule);
    assert.equal(primary.get(VM_GET_STATE, { vmid }).vm_state, VmState.InitFailed);
    machine.reset(vmid);
  }
});
