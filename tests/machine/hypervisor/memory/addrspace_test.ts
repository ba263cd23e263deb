// Address spaces through their hypercalls (docs/spec/hypervisor.md §4.6, §4.7).

import assert from "node:assert/strict";
import { Access, ExtentType, mapAttributes, MemoryType } from "../../../../src/machine/abi/words.ts";
import { Stage2Flags } from "../../../../src/cpu/core/interface.ts";
import type { AddressSpace } from "../../../../src/machine/hypervisor/memory/addrspace.ts";
import { Hypervisor } from "../../../../src/machine/hypervisor/hypervisor.ts";
import { RAM_BASE } from "../../../../src/machine/hardware/memory-map.ts";
import { parseFaultRule } from "../../../../src/model/queries/fault-rule.ts";
import { attributes, NO_SYNC, PARTIAL, R_NORMAL, RW_NORMAL, RWX_NORMAL } from "../fixture.ts";
import { checkInvariants } from "../invariants.ts";
import { IPA, lookup, object, PAGE, rootExtent, setup } from "./memory-fixture.ts";

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
  assert.equal(guest.error("addrspace_map", 99n, extent, IPA, RWX_NORMAL, 8n), "ARGUMENT_INVALID");
  assert.equal(guest.error("addrspace_map", 9n, extent, IPA, RWX_NORMAL | 8n, 0n), "ARGUMENT_INVALID");
  assert.equal(guest.error("addrspace_unmap", 9n, extent, IPA, 8n), "ARGUMENT_INVALID");
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

Deno.test("a mapping replaces the earlier one, and unmapping the replaced one leaves its pages", () => {
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

Deno.test("the core is notified of every page that was mapped or unmapped, and of no other", () => {
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
  assert.equal(guest.error("addrspace_configure_vmmio", space, 0n, 0x10n, 4n), "UNIMPLEMENTED");
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

Deno.test("whatever is paid for can be cut to pieces: no split of a block finds the pool of page tables empty", () => {
  const { guest, hypervisor } = setup();
  const extent = guest.extent(RAM_BASE, 2 * BLOCK, Access.RWX, ExtentType.Sparse);
  guest.ok("memextent_donate", 0n, 1n, extent, 0n, BigInt(2 * BLOCK));
  const elsewhere = guest.extent(RAM_BASE + 2 * BLOCK, PAGE);
  const spaces = [1, 2, 3, 4].map((vmid) => guest.addrspace(vmid));
  for (const space of spaces) guest.ok("addrspace_map", space, extent, IPA, RWX_NORMAL, NO_SYNC);
  // All else that the machine has is somebody's and in use.
  const others = hypervisor.pageTables.left;
  assert.ok(hypervisor.pageTables.promise(others, 1));
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
