// Memory extents and address spaces (docs/spec/hypervisor.md §10, lines 106-132).

import assert from "node:assert/strict";
import { Access, ExtentType, mapAttributes, MemoryType, ModifyOperation } from "../../src/abi/words.ts";
import { Stage2Flags } from "../../src/core/interface.ts";
import { ObjectArchive } from "../../src/hypervisor/archive/archive.ts";
import type { AddressSpace } from "../../src/hypervisor/memory/addrspace.ts";
import type { Memextent } from "../../src/hypervisor/memory/memextent.ts";
import { Hypervisor } from "../../src/hypervisor/hypervisor.ts";
import { RAM_BASE } from "../../src/machine/memory-map.ts";
import { parseFaultRule } from "../../src/inspection/fault-rules.ts";
import { attributes, createTestHypervisor, NO_SYNC, PARTIAL, R_NORMAL, RW_NORMAL, RWX_NORMAL, TestGuest } from "./fixture.ts";
import { checkInvariants } from "./invariants.ts";

const PAGE = 4096;
const SPARSE = ExtentType.Sparse;
/** IPA for mappings. */
const IPA = 0x8000_0000n;
const TO_CHILD = 0x8000_0000n, TO_PARENT = 0x8000_0001n, TO_SIBLING = 0x8000_0002n;

function setup() {
  const { machine, options, log } = createTestHypervisor();
  const hypervisor = new Hypervisor(machine, options);
  const guest = new TestGuest(hypervisor);
  return { machine, hypervisor, guest, log };
}

function object(guest: TestGuest, cap: bigint) {
  return [...guest.cspace.capabilities()].find(([id]) => BigInt(id) === cap)![1].object!;
}

/** Physical address and flags of the page at an IPA, or undefined. */
function lookup(guest: TestGuest, addrspace: bigint, ipa: bigint) {
  return (object(guest, addrspace) as AddressSpace).stage2.lookup(Number(ipa));
}

/** A SPARSE extent over all physical memory that owns [RAM_BASE, + size). */
function rootExtent(guest: TestGuest, size: number): bigint {
  const root = guest.extent(0, 2 ** 44, Access.RWX, SPARSE);
  guest.ok("memextent_donate", TO_CHILD, 1n, root, BigInt(RAM_BASE), BigInt(size));
  return root;
}

Deno.test("VMIDs are 1 to 255, and each is one address space's", () => {
  const { guest } = setup();
  const first = guest.create("addrspace");
  for (const vmid of [0n, 256n]) assert.equal(guest.error("addrspace_configure", first, vmid), "ARGUMENT_INVALID");
  guest.ok("addrspace_configure", first, 7n);
  guest.ok("object_activate", first);
  const second = guest.create("addrspace");
  guest.ok("addrspace_configure", second, 7n);
  assert.equal(guest.error("object_activate", second), "BUSY");
  assert.equal(guest.error("object_activate", guest.create("addrspace")), "BUSY", "VMID 0 is never free");
  guest.ok("cspace_delete_cap_from", 0n, first);
  guest.addrspace(7);
});

Deno.test("alignment; reserved bits before capabilities", () => {
  const { guest } = setup();
  const space = guest.addrspace(1), extent = guest.extent(RAM_BASE, PAGE);
  assert.equal(guest.error("addrspace_map", space, extent, IPA + 1n, RWX_NORMAL, NO_SYNC), "ARGUMENT_ALIGNMENT");
  assert.equal(guest.error("addrspace_map", 99n, extent, IPA, RWX_NORMAL, 2n), "ARGUMENT_INVALID");
  assert.equal(guest.error("addrspace_map", 9n, extent, IPA, RWX_NORMAL | 8n, 0n), "ARGUMENT_INVALID");
  assert.equal(guest.error("addrspace_unmap", 9n, extent, IPA, 2n), "ARGUMENT_INVALID");
  assert.equal(guest.error("addrspace_update_access", 9n, extent, IPA, 0xf_0077n, 0n), "ARGUMENT_INVALID");
});

Deno.test("access beyond the extent's, and memory types that there are not", () => {
  const { guest } = setup();
  const space = guest.addrspace(1), extent = guest.extent(RAM_BASE, PAGE, Access.R);
  assert.equal(guest.error("addrspace_map", space, extent, IPA, RW_NORMAL, NO_SYNC), "ARGUMENT_INVALID");
  guest.ok("addrspace_map", space, extent, IPA, R_NORMAL, NO_SYNC);
  for (const type of [4, 8, 12, 16]) {
    const attrs = BigInt(mapAttributes(Access.R, Access.R, type));
    assert.equal(guest.error("addrspace_map", space, extent, IPA, attrs, NO_SYNC), "ARGUMENT_INVALID", `type ${type}`);
  }
});

Deno.test("an extent of device memory is mapped as a device only", () => {
  const { guest } = setup();
  const space = guest.addrspace(1);
  const extent = guest.create("memextent");
  guest.ok("memextent_configure", extent, BigInt(RAM_BASE), BigInt(PAGE), attributes(Access.RW, 0) | 1n << 8n);
  guest.ok("object_activate", extent);
  assert.equal(guest.error("addrspace_map", space, extent, IPA, RW_NORMAL, NO_SYNC), "ARGUMENT_INVALID");
  guest.ok("addrspace_map", space, extent, IPA, BigInt(mapAttributes(Access.RW, Access.RW, MemoryType.DeviceNGnRE)), NO_SYNC);
  assert.deepEqual(lookup(guest, space, IPA), { pa: RAM_BASE, flags: Stage2Flags.Read | Stage2Flags.Write | Stage2Flags.Device });
});

Deno.test("four mappings of a BASIC extent, each of it whole", () => {
  const { guest } = setup();
  const space = guest.addrspace(1), extent = guest.extent(RAM_BASE, 2 * PAGE);
  assert.equal(guest.error("addrspace_map", space, extent, IPA, RWX_NORMAL, PARTIAL, 0n, BigInt(PAGE)), "MEMEXTENT_TYPE");
  for (let i = 0; i < 4; i++) guest.ok("addrspace_map", space, extent, IPA + BigInt(i * 0x10000), RWX_NORMAL, NO_SYNC);
  assert.equal(guest.error("addrspace_map", space, extent, IPA + 0x10_0000n, RWX_NORMAL, NO_SYNC), "MEMEXTENT_MAPPINGS_FULL");
});

Deno.test("what is not mapped cannot be unmapped or changed", () => {
  const { guest } = setup();
  const space = guest.addrspace(1), extent = guest.extent(RAM_BASE, PAGE);
  assert.equal(guest.error("addrspace_unmap", space, extent, IPA, NO_SYNC), "ADDR_INVALID");
  assert.equal(guest.error("addrspace_update_access", space, extent, IPA, 0x66n, NO_SYNC), "ADDR_INVALID");
});

Deno.test("a mapping replaces what was there, and unmapping the replaced one leaves its pages", () => {
  const { guest, hypervisor } = setup();
  const space = guest.addrspace(1);
  const first = guest.extent(RAM_BASE, PAGE), second = guest.extent(RAM_BASE + PAGE, PAGE);
  guest.ok("addrspace_map", space, first, IPA, RWX_NORMAL, NO_SYNC);
  guest.ok("addrspace_map", space, second, IPA, RWX_NORMAL, NO_SYNC);
  assert.equal(lookup(guest, space, IPA)?.pa, RAM_BASE + PAGE);
  guest.ok("addrspace_unmap", space, first, IPA, NO_SYNC);
  assert.equal(lookup(guest, space, IPA)?.pa, RAM_BASE + PAGE);
  guest.ok("addrspace_unmap", space, second, IPA, NO_SYNC);
  assert.equal(lookup(guest, space, IPA), undefined);
  checkInvariants(hypervisor);
});

Deno.test("the core is told of every page that was mapped or unmapped, and of no other", () => {
  const { guest, log } = setup();
  const space = guest.addrspace(1), extent = guest.extent(RAM_BASE, 3 * PAGE);
  guest.ok("addrspace_map", space, extent, IPA, RWX_NORMAL, NO_SYNC);
  guest.ok("addrspace_unmap", space, extent, IPA, NO_SYNC);
  const { id } = (object(guest, space) as AddressSpace).stage2;
  assert.deepEqual(log.invalidated, [
    { stage2: id, ipa: Number(IPA), size: 3 * PAGE },
    { stage2: id, ipa: Number(IPA), size: 3 * PAGE },
  ]);
});

Deno.test("lookup gives offset, contiguous size and attributes of what an extent has mapped", () => {
  const { guest } = setup();
  const space = guest.addrspace(1);
  const root = rootExtent(guest, 8 * PAGE);
  const part = (offset: number, size: number) => [BigInt(RAM_BASE + offset), BigInt(size)];
  guest.ok("addrspace_map", space, root, IPA, RWX_NORMAL, PARTIAL, ...part(0, 3 * PAGE));
  guest.ok("addrspace_map", space, root, IPA + 0x3000n, RW_NORMAL, PARTIAL, ...part(3 * PAGE, PAGE));
  guest.ok("addrspace_map", space, root, IPA + 0x4000n, RW_NORMAL, PARTIAL, ...part(6 * PAGE, PAGE));
  assert.deepEqual(guest.ok("addrspace_lookup", space, root, IPA + 0x1000n, 0x10000n).slice(0, 3), [
    BigInt(RAM_BASE + PAGE),
    0x2000n,
    RWX_NORMAL,
  ]);
  assert.deepEqual(guest.ok("addrspace_lookup", space, root, IPA + 0x3000n, 0x10000n).slice(0, 3), [
    BigInt(RAM_BASE + 3 * PAGE),
    0x1000n,
    RW_NORMAL,
  ]);
  assert.equal(guest.error("addrspace_lookup", space, root, IPA + 0x5000n, 0x1000n), "ADDR_INVALID");
  assert.equal(guest.error("addrspace_lookup", space, root, IPA, 0n), "ARGUMENT_SIZE");
  assert.equal(guest.error("addrspace_lookup", space, root, IPA, 0xffff_ffff_ffff_f000n), "ADDR_OVERFLOW");
  assert.equal(guest.error("addrspace_lookup", space, root, IPA, 0x800n), "ARGUMENT_ALIGNMENT");
  const other = guest.extent(RAM_BASE + 16 * PAGE, PAGE);
  assert.equal(guest.error("addrspace_lookup", space, other, IPA, 0x1000n), "MEMDB_NOT_OWNER");
});

Deno.test("ranges for the VMM", () => {
  const { guest } = setup();
  const space = guest.create("addrspace");
  assert.equal(guest.error("addrspace_configure_vmmio", space, 0n, 0n, 0n), "ARGUMENT_SIZE");
  assert.equal(guest.error("addrspace_configure_vmmio", space, 0n, 0x10n, 2n), "UNIMPLEMENTED");
  assert.equal(guest.error("addrspace_configure_vmmio", space, 0xffff_ffff_ffff_ff00n, 0x200n, 0n), "ADDR_OVERFLOW");
  guest.ok("addrspace_configure_vmmio", space, 0x1000n, 0x10n, 0n);
  assert.equal(guest.error("addrspace_configure_vmmio", space, 0x100fn, 0x10n, 0n), "BUSY");
  assert.equal(guest.error("addrspace_configure_vmmio", space, 0x1000n, 0xfn, 1n), "BUSY");
  const { vmmioRanges } = object(guest, space) as AddressSpace;
  for (let i = 1; i < 128; i++) guest.ok("addrspace_configure_vmmio", space, BigInt(0x1000 + 0x10 * i), 0x10n, 0n);
  assert.equal(vmmioRanges.length, 128);
  assert.equal(guest.error("addrspace_configure_vmmio", space, 0x10_0000n, 0x10n, 0n), "NORESOURCES");
  guest.ok("addrspace_configure_vmmio", space, 0x1000n, 0x10n, 1n);
  const active = object(guest, space) as AddressSpace;
  assert.ok(!active.isVmmio(0x1008, 4));
  assert.ok(active.isVmmio(0x1018, 8));
  assert.ok(!active.isVmmio(0x101c, 8), "an access lies wholly inside one range");
});

Deno.test("a device's range can be taken, and its frame attached elsewhere", () => {
  const { guest } = setup();
  const space = guest.addrspace(1), vic = guest.create("vic");
  guest.ok("vic_configure", vic, 1n, 32n, 3n, 0n);
  guest.ok("object_activate", vic);
  assert.equal(guest.error("addrspace_attach_vdevice", space, vic, 1n, 0x9000n, 0x20000n, 0n), "IDLE");
  assert.equal(guest.error("addrspace_attach_vdevice", space, vic, 2n, 0x9000n, 0x20000n, 0n), "ARGUMENT_INVALID");
  assert.equal(guest.error("addrspace_attach_vdevice", space, vic, 0n, 0x9000n, 0x10000n, 1n), "ARGUMENT_INVALID");
  guest.ok("addrspace_attach_vdevice", space, vic, 0n, 0x9_0000n, 0x1_0000n, 0n);
  assert.equal(guest.error("addrspace_attach_vdevice", space, vic, 0n, 0x20_0000n, 0x1_0000n, 0n), "BUSY");
  const other = guest.create("vic");
  guest.ok("vic_configure", other, 1n, 32n, 3n, 0n);
  guest.ok("object_activate", other);
  assert.equal(guest.error("addrspace_attach_vdevice", space, other, 0n, 0x9_f000n, 0x1_0000n, 0n), "BUSY");
  guest.ok("addrspace_attach_vdevice", space, other, 0n, 0xa_0000n, 0x1_0000n, 0n);
});

Deno.test("what an extent cannot be configured with", () => {
  const { guest } = setup();
  const extent = guest.create("memextent");
  const rwx = attributes(Access.RWX, 0);
  const base = BigInt(RAM_BASE);
  assert.equal(guest.error("memextent_configure", extent, base, 0n, rwx), "ARGUMENT_INVALID");
  assert.equal(guest.error("memextent_configure", extent, 0xffff_ffff_ffff_f000n, 0x2000n, rwx), "ARGUMENT_INVALID");
  assert.equal(guest.error("memextent_configure", extent, base + 1n, 0x1000n, rwx), "ARGUMENT_ALIGNMENT");
  assert.equal(guest.error("memextent_configure", extent, base, 0x1800n, rwx), "ARGUMENT_ALIGNMENT");
  for (const bad of [rwx | 0x8000_0000n, 0n, 3n, rwx | 0x300n, rwx | 0x2_0000n, rwx | 8n]) {
    assert.equal(guest.error("memextent_configure", extent, base, 0x1000n, bad), "ARGUMENT_INVALID", bad.toString(16));
  }
  assert.equal(guest.error("object_activate", extent), "OBJECT_CONFIG");
});

Deno.test("a page is one BASIC extent's", () => {
  const { guest, hypervisor } = setup();
  guest.extent(RAM_BASE, 4 * PAGE);
  const second = guest.create("memextent");
  guest.ok("memextent_configure", second, BigInt(RAM_BASE + 3 * PAGE), 0x2000n, attributes(Access.RWX, 0));
  assert.equal(guest.error("object_activate", second), "MEMDB_NOT_OWNER");
  const hypervisorMemory = guest.create("memextent");
  guest.ok("memextent_configure", hypervisorMemory, BigInt(hypervisor.machine.map.hypervisorBase), 0x1000n, attributes(Access.RWX, 0));
  assert.equal(guest.error("object_activate", hypervisorMemory), "MEMDB_NOT_OWNER");
  checkInvariants(hypervisor);
});

Deno.test("a child allows no more than its parent and lies inside it", () => {
  const { guest } = setup();
  const parent = guest.extent(RAM_BASE, 4 * PAGE, Access.RW);
  const child = guest.create("memextent");
  assert.equal(guest.error("memextent_configure_derive", child, parent, 0n, 0x1000n, attributes(Access.RWX, 0)), "ARGUMENT_INVALID");
  assert.equal(guest.error("memextent_configure_derive", child, parent, 0x3000n, 0x2000n, attributes(Access.RW, 0)), "ADDR_INVALID");
  assert.equal(guest.error("memextent_configure_derive", child, parent, 0x800n, 0x1000n, attributes(Access.RW, 0)), "ARGUMENT_ALIGNMENT");
  assert.equal(guest.error("memextent_configure_derive", child, parent, 0n, 0n, attributes(Access.RW, 0)), "ARGUMENT_INVALID");
});

Deno.test("a BASIC child takes its pages with the parent's mappings, and gives them back", () => {
  const { guest, hypervisor } = setup();
  const space = guest.addrspace(1);
  const parent = guest.extent(RAM_BASE, 4 * PAGE);
  guest.ok("addrspace_map", space, parent, IPA, RWX_NORMAL, NO_SYNC);
  const child = guest.derive(parent, PAGE, PAGE, Access.R);
  assert.deepEqual(lookup(guest, space, IPA + 0x1000n), { pa: RAM_BASE + PAGE, flags: Stage2Flags.Read });
  assert.equal(lookup(guest, space, IPA)?.flags, 15);
  assert.equal(guest.error("addrspace_lookup", space, parent, IPA + 0x1000n, 0x1000n), "MEMDB_NOT_OWNER");
  assert.equal(guest.ok("addrspace_lookup", space, child, IPA + 0x1000n, 0x1000n)[0], 0n);
  const overlapping = guest.create("memextent");
  guest.ok("memextent_configure_derive", overlapping, parent, 0n, 0x2000n, attributes(Access.R, 0));
  assert.equal(guest.error("object_activate", overlapping), "MEMDB_NOT_OWNER");
  checkInvariants(hypervisor);
  guest.ok("cspace_delete_cap_from", 0n, child);
  assert.deepEqual(lookup(guest, space, IPA + 0x1000n), { pa: RAM_BASE + PAGE, flags: 15 });
  checkInvariants(hypervisor);
});

Deno.test("a parent's unmapping leaves what a child has mapped, and a child's leaves the parent's", () => {
  const { guest, hypervisor } = setup();
  const space = guest.addrspace(1);
  const parent = guest.extent(RAM_BASE, 4 * PAGE);
  guest.ok("addrspace_map", space, parent, IPA, RWX_NORMAL, NO_SYNC);
  const child = guest.derive(parent, PAGE, PAGE);
  guest.ok("addrspace_unmap", space, parent, IPA, NO_SYNC);
  assert.equal(lookup(guest, space, IPA), undefined);
  assert.equal(lookup(guest, space, IPA + 0x1000n)?.pa, RAM_BASE + PAGE);
  guest.ok("memextent_modify", child, NO_SYNC | BigInt(ModifyOperation.UnmapAll));
  assert.equal(lookup(guest, space, IPA + 0x1000n), undefined);
  checkInvariants(hypervisor);
});

Deno.test("a parent goes only after its children", () => {
  const { guest, hypervisor } = setup();
  const parent = guest.extent(RAM_BASE, 4 * PAGE);
  const child = guest.derive(parent, 0, PAGE);
  guest.ok("cspace_delete_cap_from", 0n, parent);
  const blocked = guest.create("memextent");
  guest.ok("memextent_configure", blocked, BigInt(RAM_BASE), 0x4000n, attributes(Access.RWX, 0));
  assert.equal(guest.error("object_activate", blocked), "MEMDB_NOT_OWNER");
  guest.ok("cspace_delete_cap_from", 0n, child);
  guest.extent(RAM_BASE, 4 * PAGE);
  checkInvariants(hypervisor);
});

Deno.test("a child of an extent that is mapped in a part of the child's range only is refused", () => {
  const { guest } = setup();
  const space = guest.addrspace(1), root = rootExtent(guest, 8 * PAGE);
  guest.ok("addrspace_map", space, root, IPA, RWX_NORMAL, PARTIAL, BigInt(RAM_BASE), 0x1000n);
  const child = guest.create("memextent");
  guest.ok("memextent_configure_derive", child, root, BigInt(RAM_BASE), 0x2000n, attributes(Access.RWX, 0));
  assert.equal(guest.error("object_activate", child), "DENIED");
});

Deno.test("donation moves ownership, and with it what is mapped", () => {
  const { guest, hypervisor } = setup();
  const host = guest.addrspace(1), vm = guest.addrspace(2);
  const root = rootExtent(guest, 16 * PAGE);
  const hostMemory = guest.derive(root, 0, 2 ** 44, Access.RWX, SPARSE);
  guest.ok("memextent_donate", TO_CHILD, root, hostMemory, BigInt(RAM_BASE), BigInt(16 * PAGE));
  guest.ok("addrspace_map", host, hostMemory, BigInt(RAM_BASE), RWX_NORMAL, PARTIAL, BigInt(RAM_BASE), BigInt(16 * PAGE));
  const parcel = guest.derive(root, 0, 2 ** 44, Access.RWX, SPARSE);
  guest.ok("addrspace_map", vm, parcel, IPA, RW_NORMAL, PARTIAL, BigInt(RAM_BASE + 4 * PAGE), BigInt(2 * PAGE));
  assert.equal(lookup(guest, vm, IPA), undefined, "nothing is owned yet");
  guest.ok("memextent_donate", TO_SIBLING, hostMemory, parcel, BigInt(RAM_BASE + 4 * PAGE), BigInt(2 * PAGE));
  assert.equal(lookup(guest, vm, IPA + 0x1000n)?.pa, RAM_BASE + 5 * PAGE);
  assert.equal(lookup(guest, host, BigInt(RAM_BASE + 4 * PAGE)), undefined, "a lend takes the host's access");
  assert.equal(lookup(guest, host, BigInt(RAM_BASE + 6 * PAGE))?.pa, RAM_BASE + 6 * PAGE);
  checkInvariants(hypervisor);
  guest.ok("memextent_donate", TO_SIBLING, parcel, hostMemory, BigInt(RAM_BASE + 4 * PAGE), BigInt(2 * PAGE));
  assert.equal(lookup(guest, vm, IPA), undefined);
  assert.equal(lookup(guest, host, BigInt(RAM_BASE + 4 * PAGE))?.pa, RAM_BASE + 4 * PAGE);
  guest.ok("memextent_donate", TO_PARENT, hostMemory, root, BigInt(RAM_BASE), BigInt(16 * PAGE));
  guest.ok("memextent_donate", TO_PARENT, root, 1n, BigInt(RAM_BASE), BigInt(16 * PAGE));
  guest.extent(RAM_BASE, 16 * PAGE);
  checkInvariants(hypervisor);
});

Deno.test("a share maps the parcel for the host before the donation, and the host keeps its access", () => {
  const { guest, hypervisor } = setup();
  const host = guest.addrspace(1);
  const root = rootExtent(guest, 4 * PAGE);
  const hostMemory = guest.derive(root, 0, 2 ** 44, Access.RWX, SPARSE), parcel = guest.derive(root, 0, 2 ** 44, Access.RWX, SPARSE);
  guest.ok("memextent_donate", TO_CHILD, root, hostMemory, BigInt(RAM_BASE), BigInt(4 * PAGE));
  guest.ok("addrspace_map", host, hostMemory, BigInt(RAM_BASE), RWX_NORMAL, PARTIAL, BigInt(RAM_BASE), BigInt(4 * PAGE));
  guest.ok("addrspace_map", host, parcel, BigInt(RAM_BASE), RW_NORMAL, PARTIAL, BigInt(RAM_BASE), BigInt(PAGE));
  assert.equal(lookup(guest, host, BigInt(RAM_BASE))?.flags, 15);
  guest.ok("memextent_donate", TO_SIBLING, hostMemory, parcel, BigInt(RAM_BASE), BigInt(PAGE));
  assert.equal(lookup(guest, host, BigInt(RAM_BASE))?.flags, Stage2Flags.Read | Stage2Flags.Write);
  checkInvariants(hypervisor);
});

Deno.test("what cannot be donated", () => {
  const { guest } = setup();
  const root = rootExtent(guest, 8 * PAGE);
  const sparse = guest.derive(root, 0, 2 ** 44, Access.RWX, SPARSE);
  const basic = guest.derive(root, RAM_BASE, PAGE);
  const range = (offset: number, size: number) => [BigInt(offset), BigInt(size)];
  const donate = (options: bigint, from: bigint, to: bigint, ...rest: bigint[]) =>
    guest.error("memextent_donate", options, from, to, ...rest);
  assert.equal(donate(TO_CHILD, root, basic, ...range(0, PAGE)), "MEMEXTENT_TYPE");
  assert.equal(donate(TO_CHILD, root, sparse, ...range(RAM_BASE, PAGE)), "MEMDB_NOT_OWNER", "the BASIC child has that page");
  assert.equal(donate(TO_CHILD, root, root, ...range(RAM_BASE, PAGE)), "ARGUMENT_INVALID");
  assert.equal(donate(TO_CHILD, 1n, sparse, ...range(RAM_BASE, PAGE)), "ARGUMENT_INVALID", "not its parent");
  assert.equal(donate(TO_SIBLING, root, sparse, ...range(RAM_BASE, PAGE)), "ARGUMENT_INVALID", "no siblings");
  assert.equal(donate(TO_CHILD, root, sparse, ...range(RAM_BASE + 1, PAGE)), "ARGUMENT_ALIGNMENT");
  assert.equal(donate(TO_CHILD, root, sparse, ...range(RAM_BASE, 0)), "ARGUMENT_SIZE");
  assert.equal(donate(TO_CHILD, root, sparse, ...range(2 ** 44, PAGE)), "ARGUMENT_INVALID");
  assert.equal(donate(3n, root, sparse, ...range(RAM_BASE, PAGE)), "ARGUMENT_INVALID");
  assert.equal(donate(0x100n, 99n, sparse, ...range(RAM_BASE, PAGE)), "ARGUMENT_INVALID");
  assert.equal(donate(TO_CHILD, 0n, sparse, ...range(RAM_BASE, PAGE)), "CSPACE_WRONG_OBJECT_TYPE");
});

Deno.test("contents: operations with the synchronisation that they need, on owned pages only", () => {
  const { guest, machine } = setup();
  const extent = guest.extent(RAM_BASE, 4 * PAGE);
  const child = guest.derive(extent, PAGE, PAGE);
  machine.ram.write(RAM_BASE, new Uint8Array(4 * PAGE).fill(0xaa));
  assert.equal(guest.error("memextent_modify", extent, BigInt(ModifyOperation.ZeroRange), 0n, 0x4000n), "ARGUMENT_INVALID");
  assert.equal(guest.error("memextent_modify", extent, NO_SYNC | BigInt(ModifyOperation.SyncAll), 0n, 0n), "ARGUMENT_INVALID");
  assert.equal(guest.error("memextent_modify", extent, NO_SYNC | 9n, 0n, 0n), "ARGUMENT_INVALID");
  guest.ok("memextent_modify", extent, BigInt(ModifyOperation.SyncAll), 0n, 0n);
  guest.ok("memextent_modify", extent, NO_SYNC | BigInt(ModifyOperation.ZeroRange), 0n, 0x3000n);
  assert.deepEqual([0, 1, 2, 3].map((page) => machine.ram.bytes(RAM_BASE + page * PAGE, 1)[0]), [0, 0xaa, 0, 0xaa]);
  const zero = NO_SYNC | BigInt(ModifyOperation.ZeroRange);
  assert.equal(guest.error("memextent_modify", extent, zero, 0x4000n, 0x1000n), "ARGUMENT_INVALID");
  assert.equal(guest.error("memextent_modify", extent, zero, 0x10n, 0x1000n), "ARGUMENT_ALIGNMENT");
  assert.equal(guest.error("memextent_modify", extent, zero, 0n, 0n), "ARGUMENT_SIZE");
  const readOnly = guest.extent(RAM_BASE + 8 * PAGE, PAGE, Access.R);
  assert.equal(guest.error("memextent_modify", readOnly, zero, 0n, 0x1000n), "DENIED");
  guest.ok("memextent_modify", child, NO_SYNC | BigInt(ModifyOperation.CacheFlushRange), 0n, 0x1000n);
});

Deno.test("an access can be changed page by page, and what is unmapped from the middle leaves both ends", () => {
  const { guest, hypervisor } = setup();
  const space = guest.addrspace(1), root = rootExtent(guest, 8 * PAGE);
  const at = (page: number) => BigInt(RAM_BASE + page * PAGE);
  guest.ok("addrspace_map", space, root, IPA, RWX_NORMAL, PARTIAL, at(0), 0x5000n);
  guest.ok("addrspace_update_access", space, root, IPA + 0x1000n, 0x44n, PARTIAL, at(1), 0x1000n);
  guest.ok("addrspace_unmap", space, root, IPA + 0x3000n, PARTIAL, at(3), 0x1000n);
  const flags = [0, 1, 2, 3, 4].map((page) => lookup(guest, space, IPA + BigInt(page * PAGE))?.flags);
  assert.deepEqual(flags, [15, Stage2Flags.Read, 15, undefined, 15]);
  assert.equal(guest.error("addrspace_unmap", space, root, IPA, PARTIAL, at(0), 0x5000n), "ADDR_INVALID");
  guest.ok("addrspace_unmap", space, root, IPA, PARTIAL, at(0), 0x3000n);
  guest.ok("addrspace_unmap", space, root, IPA + 0x4000n, PARTIAL, at(4), 0x1000n);
  assert.equal(lookup(guest, space, IPA + 0x4000n), undefined);
  checkInvariants(hypervisor);
});

Deno.test("mappings outside the address space are refused", () => {
  const { guest } = setup();
  const space = guest.addrspace(1), extent = guest.extent(RAM_BASE + 0x20_0000, 2 * PAGE);
  assert.equal(guest.error("addrspace_map", space, extent, 1n << 36n, RWX_NORMAL, NO_SYNC), "ADDR_INVALID");
  assert.equal(guest.error("addrspace_map", space, extent, (1n << 36n) - 0x1000n, RWX_NORMAL, NO_SYNC), "ADDR_OVERFLOW");
  assert.equal(guest.error("addrspace_map", space, extent, 0xffff_ffff_ffff_f000n, RWX_NORMAL, NO_SYNC), "ADDR_OVERFLOW");
  const root = rootExtent(guest, 0x10_0000);
  const part = [BigInt(RAM_BASE + 0x1_0000), 0x1000n];
  assert.equal(guest.error("addrspace_map", space, root, 1n << 50n, RWX_NORMAL, PARTIAL, ...part), "ADDR_INVALID");
  assert.equal(guest.error("addrspace_map", space, root, IPA, RWX_NORMAL, PARTIAL, 0n, 0n), "ARGUMENT_SIZE");
  assert.equal(guest.error("addrspace_map", space, root, IPA, RWX_NORMAL, PARTIAL, BigInt(2 ** 44), 0x1000n), "ARGUMENT_SIZE");
});

Deno.test("an info area is one page of plain memory, zeroed when the address space starts", () => {
  const { guest, machine } = setup();
  const space = guest.create("addrspace");
  const page = guest.extent(RAM_BASE, PAGE, Access.RW);
  machine.ram.write(RAM_BASE, Uint8Array.of(1));
  assert.equal(
    guest.error("addrspace_configure_info_area", space, guest.extent(RAM_BASE + 8 * PAGE, 2 * PAGE), 0x3000n),
    "ARGUMENT_INVALID",
  );
  assert.equal(guest.error("addrspace_configure_info_area", space, page, 0x3001n), "ADDR_INVALID");
  assert.equal(guest.error("addrspace_configure_info_area", space, page, 1n << 36n), "ADDR_INVALID");
  const readOnly = guest.extent(RAM_BASE + 16 * PAGE, PAGE, Access.R);
  assert.equal(guest.error("addrspace_configure_info_area", space, readOnly, 0x3000n), "ARGUMENT_INVALID");
  guest.ok("addrspace_configure_info_area", space, page, 0x3000n);
  guest.ok("addrspace_configure", space, 9n);
  guest.ok("object_activate", space);
  assert.equal(machine.ram.bytes(RAM_BASE, 1)[0], 0);
  const child = guest.create("memextent");
  guest.ok("memextent_configure_derive", child, page, 0n, 0x1000n, attributes(Access.RW, 0));
  assert.equal(guest.error("object_activate", child), "BUSY", "the hypervisor uses the page");
});

Deno.test("deleting an address space forgets its mappings and gives its tables back", () => {
  const { guest, hypervisor } = setup();
  const before = hypervisor.options.stage2.available;
  const extent = guest.extent(RAM_BASE, PAGE);
  for (let vmid = 1; vmid < 10; vmid++) {
    const space = guest.addrspace(vmid);
    guest.ok("addrspace_map", space, extent, IPA, RWX_NORMAL, NO_SYNC);
    guest.ok("cspace_delete_cap_from", 0n, space);
  }
  assert.equal(hypervisor.options.stage2.available, before);
  checkInvariants(hypervisor);
});

/**
 * Takes what is left of the root partition's heap but for `bytes`; answers with how much that is.
 */
function leaveHeap(hypervisor: Hypervisor, bytes: number): number {
  const { rootPartition } = hypervisor;
  const taken = rootPartition.heapSize - rootPartition.heapUsed - bytes;
  assert.ok(rootPartition.allocate(taken));
  return taken;
}

const TABLE = 16 * 1024;
const BLOCK = 0x100_0000;

Deno.test("the heap pays for page tables while mappings are recorded, and gets it back with the last of each 16 MiB", () => {
  const { guest, hypervisor } = setup();
  const space = guest.addrspace(1), near = guest.extent(RAM_BASE, PAGE), far = guest.extent(RAM_BASE + PAGE, 2 * PAGE);
  const before = hypervisor.rootPartition.heapUsed, tables = hypervisor.options.stage2.available;
  const paid = () => (hypervisor.rootPartition.heapUsed - before) / TABLE;
  const edge = IPA + BigInt(BLOCK) - BigInt(PAGE);
  guest.ok("addrspace_map", space, near, IPA, RWX_NORMAL, NO_SYNC);
  assert.equal(paid(), 1);
  guest.ok("addrspace_map", space, far, edge, RWX_NORMAL, NO_SYNC);
  assert.equal(paid(), 2, "two pages over the edge of 16 MiB");
  assert.equal(hypervisor.options.stage2.available, tables - 2);
  guest.ok("addrspace_unmap", space, near, IPA, NO_SYNC);
  assert.equal(paid(), 2);
  guest.ok("addrspace_unmap", space, far, edge, NO_SYNC);
  assert.equal(paid(), 0);
  assert.equal(hypervisor.options.stage2.available, tables, "and so do the tables themselves");
  checkInvariants(hypervisor);
});

Deno.test("a mapping is refused when the heap cannot pay for its page tables, and what is mapped can be changed and taken away", () => {
  const { guest, hypervisor } = setup();
  const space = guest.addrspace(1), extent = guest.extent(RAM_BASE, PAGE), second = guest.create("addrspace");
  leaveHeap(hypervisor, TABLE - 1);
  assert.equal(guest.error("addrspace_map", space, extent, IPA, RWX_NORMAL, NO_SYNC), "NOMEM");
  assert.equal(lookup(guest, space, IPA), undefined);
  assert.equal(guest.error("addrspace_unmap", space, extent, IPA, NO_SYNC), "ADDR_INVALID", "nothing was recorded");
  hypervisor.rootPartition.free(1);
  guest.ok("addrspace_map", space, extent, IPA, RWX_NORMAL, NO_SYNC);
  guest.ok("addrspace_update_access", space, extent, IPA, 0x44n, NO_SYNC);
  assert.equal(lookup(guest, space, IPA)?.flags, Stage2Flags.Read);
  guest.ok("addrspace_configure", second, 2n);
  assert.equal(guest.error("object_activate", second), "NOMEM");
  guest.ok("addrspace_unmap", space, extent, IPA, NO_SYNC);
});

Deno.test("injected faults of allocations hit what allocates something, and no change of a mapping that is paid for", () => {
  const { guest, hypervisor } = setup();
  const space = guest.addrspace(1), root = rootExtent(guest, 4 * PAGE), child = guest.create("memextent");
  const part = (page: number, pages: number) => [BigInt(RAM_BASE + page * PAGE), BigInt(pages * PAGE)];
  guest.ok("addrspace_map", space, root, IPA, RWX_NORMAL, PARTIAL, ...part(0, 4));
  guest.ok("memextent_configure_derive", child, root, BigInt(RAM_BASE), BigInt(PAGE), attributes(Access.RWX, 0));
  hypervisor.faults.add(parseFaultRule("alloc -> NOMEM"));
  const refused = guest.error("addrspace_map", space, root, IPA + BigInt(BLOCK), RWX_NORMAL, PARTIAL, ...part(0, 1));
  assert.equal(refused, "NOMEM");
  guest.ok("addrspace_update_access", space, root, IPA, 0x44n, PARTIAL, ...part(0, 4));
  guest.ok("addrspace_unmap", space, root, IPA + BigInt(PAGE), PARTIAL, ...part(1, 1));
  guest.ok("object_activate", child);
  guest.ok("addrspace_unmap", space, child, IPA, NO_SYNC);
  checkInvariants(hypervisor);
});

Deno.test("extents of addresses that no machine has are saved and loaded like others", () => {
  const { guest } = setup();
  const made = (cap: bigint) => object(guest, cap) as Memextent;
  for (const [base, size] of [[2n ** 60n + 0x1000n, 0x1000n], [0n, 2n ** 64n - 0x1000n]]) {
    const [saved, loaded] = [guest.create("memextent"), guest.create("memextent")];
    guest.ok("memextent_configure", saved, base, size, attributes(Access.RWX, 0) | BigInt(SPARSE) << 16n);
    const archive = new ObjectArchive();
    made(saved).archive(archive);
    made(loaded).archive(new ObjectArchive(archive.saved));
    assert.deepEqual([BigInt(made(loaded).base), BigInt(made(loaded).extentSize)], [base, size]);
  }
});

Deno.test("whatever is paid for can be cut to pieces: no split of a block finds the pool of page tables empty", () => {
  const { guest, hypervisor } = setup();
  const extent = guest.extent(RAM_BASE, 2 * BLOCK, Access.RWX, ExtentType.Sparse);
  guest.ok("memextent_donate", 0n, 1n, extent, 0n, BigInt(2 * BLOCK));
  const elsewhere = guest.extent(RAM_BASE + 2 * BLOCK, PAGE);
  const spaces = [1, 2, 3, 4].map((vmid) => guest.addrspace(vmid));
  for (const space of spaces) guest.ok("addrspace_map", space, extent, IPA, RWX_NORMAL, NO_SYNC);
  // All else that the machine has is somebody's and in use.
  const others = hypervisor.pageTables.left;
  assert.ok(hypervisor.pageTables.promise(others));
  for (let count = 0; count < others; count++) assert.ok(hypervisor.options.stage2.create());
  const another = guest.create("addrspace");
  guest.ok("addrspace_configure", another, 9n);
  assert.equal(guest.error("object_activate", another), "NOMEM");
  assert.equal(guest.error("addrspace_map", spaces[0], elsewhere, IPA + BigInt(4 * BLOCK), RWX_NORMAL, NO_SYNC), "NOMEM");
  for (const space of spaces) {
    guest.ok("addrspace_unmap", space, extent, IPA + BigInt(PAGE), PARTIAL, BigInt(PAGE), BigInt(PAGE));
    guest.ok("addrspace_update_access", space, extent, IPA + BigInt(BLOCK), 0x44n, PARTIAL, BigInt(BLOCK), BigInt(PAGE));
  }
  assert.equal(hypervisor.options.stage2.available, 0);
  // Pages that go and come back take no table either.
  guest.ok("memextent_donate", 1n, extent, 1n, 0n, BigInt(2 * BLOCK));
  guest.ok("memextent_donate", 0n, 1n, extent, 0n, BigInt(2 * BLOCK));
  checkInvariants(hypervisor);
});

Deno.test("of two mappings of an extent to one place, the second stays when the first is removed", () => {
  const { guest, hypervisor } = setup();
  const addrspace = guest.addrspace(3);
  const extent = guest.extent(RAM_BASE, 0x10_0000, Access.RWX, ExtentType.Sparse);
  guest.ok("memextent_donate", 0n, 1n, extent, 0n, 0x4000n);
  const map = (attributes: bigint, offset: bigint, size: bigint) =>
    guest.ok("addrspace_map", addrspace, extent, 0x8000_0000n + offset, attributes, PARTIAL, offset, size);
  map(RW_NORMAL, 0n, 0x4000n);
  map(R_NORMAL, 0x1000n, 0x1000n);
  const flags = () => [0, 1, 2, 3].map((page) => hypervisor.addressSpaces.get(3)!.stage2.lookup(0x8000_0000 + page * 0x1000)?.flags);
  const before = flags();
  guest.ok("addrspace_unmap", addrspace, extent, 0x8000_0000n, PARTIAL, 0n, 0x4000n);
  assert.deepEqual(flags(), [undefined, before[1], undefined, undefined]);
  checkInvariants(hypervisor);
  guest.ok("addrspace_unmap", addrspace, extent, 0x8000_1000n, PARTIAL, 0x1000n, 0x1000n);
  assert.deepEqual(flags(), new Array(4).fill(undefined));
});

Deno.test("a mapping for which there are too few page tables leaves what it would have replaced", () => {
  const { guest, hypervisor } = setup();
  const space = guest.addrspace(1);
  const first = guest.extent(RAM_BASE, 3 * PAGE);
  guest.ok("addrspace_map", space, first, IPA, RWX_NORMAL, NO_SYNC);
  // Two runs of owned pages, in parts of the address space of which one is paid for.
  const sparse = guest.extent(RAM_BASE + BLOCK, BLOCK + PAGE, Access.RWX, ExtentType.Sparse);
  guest.ok("memextent_donate", 0n, 1n, sparse, 0n, BigInt(PAGE));
  guest.ok("memextent_donate", 0n, 1n, sparse, BigInt(BLOCK), BigInt(PAGE));
  const before = [...hypervisor.addressSpaces.get(1)!.stage2.entries()];
  const taken = leaveHeap(hypervisor, 0);
  assert.equal(guest.error("addrspace_map", space, sparse, IPA, RWX_NORMAL, NO_SYNC), "NOMEM");
  assert.deepEqual([...hypervisor.addressSpaces.get(1)!.stage2.entries()], before);
  hypervisor.rootPartition.free(taken);
  guest.ok("addrspace_map", space, sparse, IPA, RWX_NORMAL, NO_SYNC);
  checkInvariants(hypervisor);
});
