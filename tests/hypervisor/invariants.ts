// What must hold after every operation (DESIGN "Seven decisions", 7): ownership of memory is conserved, page tables hold only what the
// owner of a page has recorded, capabilities and objects agree, heaps add up.

import assert from "node:assert/strict";
import { allRights } from "../../src/abi/rights.ts";
import { Stage2 } from "../../src/core/stage2.ts";
import { type AddressSpace, stage2Flags } from "../../src/hypervisor/addrspace.ts";
import type { Hypervisor } from "../../src/hypervisor/hypervisor.ts";
import { Memextent } from "../../src/hypervisor/memextent.ts";
import { DEVICE_END, PAGE_SIZE } from "../../src/machine/memory-map.ts";

/** Checks everything; throws an AssertionError that names what is broken. */
export function checkInvariants(hypervisor: Hypervisor): void {
  checkOwnership(hypervisor);
  for (const addressSpace of hypervisor.addressSpaces.values()) checkTables(hypervisor, addressSpace);
}

/** Every byte of memory has one owner, which is a partition or an active extent over that memory. */
function checkOwnership(hypervisor: Hypervisor): void {
  const { map } = hypervisor.machine;
  let owned = 0;
  for (const { pa, size, owner } of hypervisor.memory.all()) {
    owned += size;
    if (!(owner instanceof Memextent)) continue;
    assert.equal(owner.state, "active", `${owner.name} owns memory`);
    assert.ok(pa >= owner.base && pa + size <= owner.base + owner.extentSize, `${owner.name} owns memory outside its range`);
    for (const { addressSpace } of owner.mappings.within(0, owner.extentSize)) {
      assert.equal(addressSpace.state, "active", `${owner.name} is mapped in an address space that is gone`);
    }
    for (const holder of owner.holders) assert.equal(holder.object, owner);
    for (const holder of owner.holders) assert.equal((holder.rights & ~allRights(owner.type)) >>> 0, 0);
  }
  assert.equal(owned, DEVICE_END + map.primarySize + (map.ramEnd - map.hypervisorBase), "memory is conserved");
}

/** Every entry of the tables is a recorded mapping of the page's owner, with its access. */
function checkTables(hypervisor: Hypervisor, addressSpace: AddressSpace): void {
  const { stage2 } = addressSpace;
  assert.ok(stage2 instanceof Stage2);
  for (const { ipa, pa, size, flags } of stage2.entries()) {
    for (let done = 0; done < size; done += PAGE_SIZE) {
      const owner = hypervisor.memory.ownerOf(pa + done);
      assert.ok(owner instanceof Memextent, `0x${(ipa + done).toString(16)} maps to a page of ${owner?.name ?? "nobody"}`);
      const recorded = [...owner.mappings.within(pa + done - owner.base, PAGE_SIZE)]
        .filter(({ addressSpace: space, range }) => space === addressSpace && range.ipa === ipa + done)
        .map(({ range }) => stage2Flags(range.attributes));
      assert.ok(recorded.includes(flags), `0x${(ipa + done).toString(16)} is mapped in a way that ${owner.name} has not recorded`);
    }
  }
}
