// Memory extents through their hypercalls (docs/spec/hypervisor.md §4.8).

import assert from "node:assert/strict";
import { Access, ExtentType, ModifyOperation, VmmioOperation } from "../../../../src/machine/abi/words.ts";
import { Stage2Flags } from "../../../../src/cpu/core/interface.ts";
import { ObjectArchive } from "../../../../src/machine/hypervisor/archive/archive.ts";
import type { Memextent } from "../../../../src/machine/hypervisor/memory/memextent.ts";
import { RAM_BASE } from "../../../../src/machine/hardware/memory-map.ts";
import { attributes, NO_SYNC, PARTIAL, R_NORMAL, RW_NORMAL, RWX_NORMAL } from "../fixture.ts";
import { checkInvariants } from "../invariants.ts";
import { IPA, lookup, object, PAGE, rootExtent, setup, SPARSE, TO_CHILD, TO_PARENT, TO_SIBLING } from "./memory-fixture.ts";

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
  assert.equal(donate(5n, root, sparse, ...range(RAM_BASE, PAGE)), "ARGUMENT_INVALID");
  assert.equal(donate(0x100n, 99n, sparse, ...range(RAM_BASE, PAGE)), "ARGUMENT_INVALID");
  assert.equal(donate(TO_CHILD, 0n, sparse, ...range(RAM_BASE, PAGE)), "CSPACE_WRONG_OBJECT_TYPE");
});

Deno.test("contents: operations with the synchronization that they need, on owned pages only", () => {
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

Deno.test("pages go to protected memory and back, which they do when nothing maps them", () => {
  const { guest, hypervisor } = setup();
  const root = rootExtent(guest, 16 * PAGE);
  const [host, own] = [0, 1].map(() => guest.derive(root, RAM_BASE, 16 * PAGE, Access.RWX, SPARSE));
  guest.ok("memextent_donate", TO_CHILD, root, host, 0n, 0x4000n);
  const space = guest.addrspace(1);
  const TO_PROTECTED = 3n, FROM_PROTECTED = 4n, PRIVATE = 3n;
  const donate = (kind: bigint, from: bigint, to: bigint) => guest.error("memextent_donate", kind, from, to, 0x1000n, 0x1000n);
  const map = (flags: bigint) => guest.error("addrspace_map", space, own, IPA, RWX_NORMAL, flags, 0x1000n, 0x1000n);
  assert.equal(donate(TO_PROTECTED, own, host), "MEMDB_NOT_OWNER");
  assert.equal(donate(TO_PROTECTED, host, own), "OK");
  assert.equal(map(PRIVATE), "ADDR_INVALID", "no range is private there");
  guest.ok("addrspace_configure_vmmio", space, IPA, 0x2000n, BigInt(VmmioOperation.AddPrivate));
  assert.equal(map(7n), "ARGUMENT_INVALID", "PRIVATE and VMMIO");
  assert.equal(map(9n), "ARGUMENT_INVALID");
  assert.equal(map(PRIVATE), "OK");
  assert.ok(lookup(guest, space, IPA));
  assert.equal(donate(FROM_PROTECTED, own, host), "BUSY");
  guest.ok("addrspace_unmap", space, own, IPA, PRIVATE, 0x1000n, 0x1000n);
  assert.equal(donate(FROM_PROTECTED, own, host), "OK");
  assert.equal(donate(5n, own, host), "ARGUMENT_INVALID");
  assert.equal(donate(TO_PROTECTED, 1n, host), "ARGUMENT_INVALID", "a partition");
  guest.ok("addrspace_configure_vmmio", space, IPA, 0x2000n, BigInt(VmmioOperation.RemovePrivate));
  assert.equal(guest.error("addrspace_configure_vmmio", space, IPA, 0x2000n, BigInt(VmmioOperation.Remove)), "BUSY");
  checkInvariants(hypervisor);
});
