// VMs that get their memory page by page, and boot vCPUs with registers of their owner's choice
// (docs/spec/resource-manager.md §3.15).

import assert from "node:assert/strict";
import { ErrorCode } from "../../../../src/machine/abi/errors.ts";
import { Hypercall } from "../../../../src/machine/abi/hypercalls.ts";
import {
  AddressRange,
  VM_SET_ADDRESS_LAYOUT,
  VM_SET_BOOT_CONTEXT,
  VM_SET_DEMAND_PAGING,
} from "../../../../src/machine/abi/rpc/messages/configuration.ts";
import { ExtentLabel, ResourceType, VM_GET_HYP_RESOURCES } from "../../../../src/machine/abi/rpc/messages/resources.ts";
import { VM_INIT } from "../../../../src/machine/abi/rpc/messages/configuration.ts";
import { VM_DEALLOCATE, VM_START, VM_STOP } from "../../../../src/machine/abi/rpc/messages/lifecycle.ts";
import { MEM_RECLAIM } from "../../../../src/machine/abi/rpc/messages/memory.ts";
import { Access, DonateType, mapAttributes, MapFlags, MemoryType, RegisterSet } from "../../../../src/machine/abi/words.ts";
import { FIRST_RAM_ADDRESS } from "../../../../src/machine/resource-manager/config/limits.ts";
import { readDevicetree } from "../../../../src/machine/devicetree/reader.ts";
import { cells64, findNode } from "../../../../src/machine/devicetree/tree.ts";
import { checkInvariants } from "../../hypervisor/invariants.ts";
import { Client } from "../client.ts";
import { DT_OFFSET, DT_SIZE, guestTree, HOST_BASE, Machine, MEMORY, rmRpc } from "../machine.ts";

/** Where the image parcel lies, and the memory that comes page by page. */
const IMAGE = 0x9000_0000;
const PAGED = 0x9100_0000;
const PAGED_SIZE = 0x10_0000;
/** Pages of the primary. */
const PRIVATE_PA = 0x4700_0000n;
const SHARED_PA = 0x4700_1000n;

const RWX = BigInt(mapAttributes(Access.RWX, Access.RWX, MemoryType.NormalWB));
const PARTIAL = BigInt(MapFlags.Partial);

/** A READY VM whose memory after its image is paged. */
function ready(machine: Machine): { vmid: number; handle: number } {
  const made = machine.configured(guestTree("paged", [rmRpc()]));
  const { vmid } = made;
  const ranges = [{ base: BigInt(PAGED), size: BigInt(PAGED_SIZE) }];
  machine.primary.get(VM_SET_DEMAND_PAGING, { vmid, ranges });
  machine.primary.get(VM_SET_ADDRESS_LAYOUT, { vmid, range_id: AddressRange.Image, base: BigInt(IMAGE), size: BigInt(MEMORY) });
  machine.primary.get(VM_INIT, { vmid });
  return made;
}

/** Capabilities of the owner: the address space, and extents by label. */
function capsOf(machine: Machine, vmid: number): { space: bigint; extents: bigint[] } {
  const { resources } = machine.primary.get(VM_GET_HYP_RESOURCES, { vmid });
  const space = resources.find(({ type }) => type === ResourceType.AddressSpace)!.cap;
  const extents = resources.filter(({ type }) => type === ResourceType.MemoryExtent);
  assert.deepEqual(extents.map(({ label }) => label), [0, 1, 2, 3]);
  return { space, extents: extents.map(({ cap }) => cap) };
}

Deno.test("the owner gives a paged VM a private page and a shared one, and takes both back", () => {
  const machine = new Machine();
  const before = machine.usage();
  const made = ready(machine);
  const { vmid } = made;
  machine.primary.get(VM_START, { vmid });
  const { space, extents } = capsOf(machine, vmid);
  const { system } = machine;
  const page = 0x1000n;
  const call = (number: number, ...args: bigint[]) => assert.equal(system.act((vcpu) => vcpu.hvc(number, ...args)[0]), 0n);
  const give = (from: bigint, to: bigint, pa: bigint, ipa: number) => {
    call(Hypercall.memextent_donate, BigInt(DonateType.ToSibling), from, to, pa, page);
    call(Hypercall.addrspace_map, space, to, BigInt(ipa), RWX, PARTIAL, pa, page);
  };
  const bytes = Uint8Array.of(1, 2, 3);
  system.act((vcpu) => [PRIVATE_PA, SHARED_PA].every((pa) => vcpu.write(Number(pa), bytes)));
  const guest = system.guest(vmid);
  assert.equal(guest.read(PAGED, 3), undefined);
  give(extents[ExtentLabel.HostPrivate], extents[ExtentLabel.GuestPrivate], PRIVATE_PA, PAGED);
  give(extents[ExtentLabel.HostShared], extents[ExtentLabel.GuestShared], SHARED_PA, PAGED + 0x1000);
  assert.deepEqual([guest.read(PAGED, 3), guest.read(PAGED + 0x1000, 3)], [bytes, bytes]);
  assert.equal(system.act((vcpu) => vcpu.read(Number(PRIVATE_PA), 3)), undefined, "a private page is the VM's alone");
  assert.ok(guest.write(PAGED + 0x1000, Uint8Array.of(9)));
  assert.deepEqual(system.act((vcpu) => vcpu.read(Number(SHARED_PA), 3)), Uint8Array.of(9, 2, 3), "a shared one is both's");
  checkInvariants(system.hypervisor);
  for (const [from, to, pa, ipa] of [[2, 0, PRIVATE_PA, PAGED], [1, 3, SHARED_PA, PAGED + 0x1000]] as const) {
    call(Hypercall.addrspace_unmap, space, extents[to], BigInt(ipa), PARTIAL, pa, page);
    call(Hypercall.memextent_donate, BigInt(DonateType.ToSibling), extents[to], extents[from], pa, page);
  }
  assert.deepEqual(system.act((vcpu) => vcpu.read(Number(PRIVATE_PA), 3)), bytes);
  machine.end(made);
  assert.deepEqual(machine.usage(), before);
  checkInvariants(system.hypervisor);
});

Deno.test("a parcel inside the paged ranges becomes pages of the VM at VM_START, which the owner takes back", () => {
  const machine = new Machine();
  const { primary, system } = machine;
  const before = machine.usage();
  const { vmid, handle } = machine.configured(guestTree("paged", [rmRpc()]));
  primary.get(VM_SET_DEMAND_PAGING, { vmid, ranges: [{ base: BigInt(IMAGE), size: BigInt(2 * MEMORY) }] });
  primary.get(VM_SET_ADDRESS_LAYOUT, { vmid, range_id: AddressRange.Image, base: BigInt(IMAGE), size: BigInt(MEMORY) });
  primary.get(VM_INIT, { vmid });
  assert.equal(primary.ask(MEM_RECLAIM, { handle: 0x77, flags: 0 }).error, "HANDLE_INVALID");
  primary.get(VM_START, { vmid });
  const { space, extents } = capsOf(machine, vmid);
  const guest = system.guest(vmid);
  assert.ok(readDevicetree(guest.read(IMAGE + DT_OFFSET, DT_SIZE)!).ok, "the VM has it where it was");
  assert.equal(primary.ask(MEM_RECLAIM, { handle, flags: 0 }).error, "HANDLE_INVALID", "the parcel is gone");
  primary.get(VM_STOP, { vmid, flags: 1, reason: 0 });
  const size = BigInt(MEMORY), pa = BigInt(HOST_BASE), PRIVATE = BigInt(MapFlags.Partial | MapFlags.Private);
  const call = (number: number, ...args: bigint[]) => system.act((vcpu) => vcpu.hvc(number, ...args)[0]);
  const back = [BigInt(DonateType.FromProtected), extents[ExtentLabel.GuestPrivate], extents[ExtentLabel.HostPrivate], pa, size] as const;
  assert.equal(call(Hypercall.memextent_donate, ...back), BigInt(ErrorCode.BUSY), "it is mapped");
  assert.equal(call(Hypercall.addrspace_unmap, space, extents[ExtentLabel.GuestPrivate], BigInt(IMAGE), PRIVATE, pa, size), 0n);
  assert.equal(call(Hypercall.memextent_donate, ...back), 0n);
  assert.ok(system.act((vcpu) => vcpu.read(HOST_BASE, 8)), "the owner has it again");
  machine.reset(vmid);
  primary.get(VM_DEALLOCATE, { vmid });
  assert.deepEqual(machine.usage(), before);
  assert.ok(primary.notifications.every((text) => !text.startsWith("MEM_RELEASED")));
  checkInvariants(system.hypervisor);
});

Deno.test("the image lies where VM_SET_ADDRESS_LAYOUT says, and /memory has the paged ranges", () => {
  const machine = new Machine();
  const { vmid } = ready(machine);
  machine.primary.get(VM_START, { vmid });
  const blob = machine.system.guest(vmid).read(IMAGE + DT_OFFSET, DT_SIZE);
  const read = readDevicetree(blob!);
  assert.ok(read.ok);
  assert.deepEqual(findNode(read.tree.root, "/memory")!.properties.get("reg"), cells64(IMAGE, MEMORY, PAGED, PAGED_SIZE));
});

Deno.test("VM_INIT refuses paged ranges that leave no address for the Resource Manager's own pages", () => {
  const machine = new Machine();
  const before = machine.usage();
  const { vmid, handle } = machine.configured(guestTree("full", [rmRpc()]));
  const first = BigInt(FIRST_RAM_ADDRESS), limit = 1n << 36n;
  machine.primary.get(VM_SET_DEMAND_PAGING, { vmid, ranges: [{ base: first, size: limit - first }] });
  assert.equal(machine.primary.ask(VM_INIT, { vmid }).error, "NORESOURCE");
  machine.reset(vmid);
  machine.primary.get(MEM_RECLAIM, { handle, flags: 0 });
  machine.primary.get(VM_DEALLOCATE, { vmid });
  assert.deepEqual(machine.usage(), before);
  checkInvariants(machine.system.hypervisor);
});

Deno.test("only the owner of a paged VM sees its extents, and other VMs have none", () => {
  const machine = new Machine();
  const paged = ready(machine);
  machine.primary.get(VM_START, { vmid: paged.vmid });
  const place = { buffer: IMAGE + 0x1_0000, tx: 0n, rx: 1n };
  const guest = new Client(machine.system, (step) => step(machine.system.guest(paged.vmid)), place);
  const own = guest.get(VM_GET_HYP_RESOURCES, { vmid: paged.vmid });
  assert.deepEqual(own, { resources: [] });
  const { vmid } = machine.ready(guestTree("plain", [rmRpc()]), 0x4680_0000);
  const { resources } = machine.primary.get(VM_GET_HYP_RESOURCES, { vmid });
  assert.deepEqual(resources.map(({ type }) => type), [ResourceType.Vcpu]);
});

Deno.test("registers of VM_SET_BOOT_CONTEXT are set when the vCPU starts, instead of entry and devicetree", () => {
  const machine = new Machine();
  const { vmid } = machine.ready(guestTree("registers", []));
  const set = (register_set: number, register_index: number, value: bigint) =>
    machine.primary.get(VM_SET_BOOT_CONTEXT, { vmid, register_set, register_index, value });
  set(RegisterSet.X, 0, 0x1111n);
  set(RegisterSet.X, 5, 0x5555n);
  set(RegisterSet.PC, 0, 0x8000_4000n);
  set(RegisterSet.SpEl, 1, 0x8000_8000n);
  machine.primary.get(VM_START, { vmid });
  const { registers } = machine.system.vcpu(vmid);
  assert.deepEqual([registers.pc, registers.getX(0), registers.getX(5)], [0x8000_4000n, 0x1111n, 0x5555n]);
  assert.equal(registers.getRegister("SP_EL1"), 0x8000_8000n);
});

Deno.test("without a boot context a VM enters its image with the devicetree in X0", () => {
  const machine = new Machine();
  const { vmid } = ready(machine);
  machine.primary.get(VM_SET_BOOT_CONTEXT, { vmid, register_set: RegisterSet.X, register_index: 3, value: 3n });
  machine.primary.get(VM_START, { vmid });
  const { registers } = machine.system.vcpu(vmid);
  assert.deepEqual([registers.pc, registers.getX(0), registers.getX(3)], [BigInt(IMAGE), BigInt(IMAGE + DT_OFFSET), 3n]);
});
