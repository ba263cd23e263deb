// Invariants of memory: every page has one owner, and page tables and TLBs lead only where a page's
// owner has recorded a mapping (docs/spec/hypervisor.md §4.6, §4.8, §8.6).

import { asIpa, asPa, type Ipa, type Pa } from "../../abi/numbers.ts";
import { Stage2Flags } from "../../../cpu/core/interface.ts";
import { DEVICE_END } from "../../hardware/memory-map.ts";
import type { HypervisorObject } from "../capabilities/object.ts";
import type { AddressSpace } from "../memory/addrspace.ts";
import type { MemoryOwner } from "../memory/memdb.ts";
import { Memextent } from "../memory/memextent.ts";
import { Partition } from "../memory/partition.ts";
import { MAX_ADDRESS_SPACE_SIZE, stage2Flags } from "../memory/stage2.ts";
import type { CheckedServices, Violation } from "./violation.ts";
import { PAGE_SIZE } from "../../../kit/support/values/sizes.ts";
import { hex } from "../../../kit/support/text/number-text.ts";

/** Ranges up to this size are looked up page by page, larger ones by going through the tables. */
const LOOKED_UP = 0x100_0000;

/** Every byte of memory has an owner, which is a partition or an active extent over that memory. */
export function* checkConservation(hypervisor: CheckedServices): Generator<Violation> {
  const { map } = hypervisor.machine;
  let owned = 0;
  for (const { pa, size, owner } of hypervisor.memory.all()) {
    owned += size;
    if (!isRightOwner(hypervisor, owner, pa, size)) yield* checkOwners(hypervisor, pa, size);
  }
  const memory = DEVICE_END + map.primarySize + (map.ramEnd - map.hypervisorBase);
  if (owned !== memory) yield { object: "memory", rule: "every byte of memory has an owner", values: { owned, memory } };
}

/** Whether a run of pages may be this owner's, all of them. */
function isRightOwner(hypervisor: CheckedServices, owner: MemoryOwner, pa: number, size: number): boolean {
  if (!(owner instanceof Memextent)) return owner instanceof Partition;
  const inside = pa >= owner.base && pa + size <= owner.base + owner.extentSize;
  return inside && owner.state === "active" && hypervisor.objects.has(owner);
}

/** The owners of a range of physical memory. */
export function* checkOwners(hypervisor: CheckedServices, pa: number, size: number): Generator<Violation> {
  for (let at = pa; at < pa + size;) {
    const owner = hypervisor.memory.ownerOf(asPa(at));
    if (owner instanceof Partition) {
      at += PAGE_SIZE;
      continue;
    }
    if (!(owner instanceof Memextent) || owner.state !== "active" || !hypervisor.objects.has(owner)) {
      yield { object: owner?.name ?? "memory", rule: "a page belongs to a partition or to an active extent", values: { pa: hex(at) } };
    } else if (at < owner.base || at >= owner.base + owner.extentSize) {
      const values = { pa: hex(at), base: hex(owner.base), size: owner.extentSize };
      yield { object: owner.name, rule: "an extent owns memory inside its range only", values };
    }
    at += PAGE_SIZE;
  }
}

/**
 * Pages that were taken from an extent are no longer mapped where it is mapped, unless their owner
 * is mapped in the same place.
 */
export function* checkGiver(giver: HypervisorObject, pa: number, size: number): Generator<Violation> {
  if (!(giver instanceof Memextent)) return;
  for (const { addressSpace, range } of giver.mappings.within(pa - giver.base, size)) {
    if (addressSpace.state !== "active") continue;
    yield* checkTables(addressSpace, range.ipa, range.size);
  }
}

/**
 * Every entry of the page tables, in a range or anywhere, is a recorded mapping of the page's
 * owner, with its access; or it is left of a 1 GiB block, as on the recorded build
 * (`machine.quirks = "as-observed"`).
 */
export function* checkTables(space: AddressSpace, ipa = 0, size = MAX_ADDRESS_SPACE_SIZE): Generator<Violation> {
  const end = ipa + size;
  if (size <= LOOKED_UP) {
    for (let at = ipa; at < end; at += PAGE_SIZE) {
      const page = space.stage2.lookup(at);
      const wrong = page && wrongPage(space, asIpa(at), asPa(page.pa), page.flags);
      if (wrong) yield wrong;
    }
    return;
  }
  for (const entry of space.stage2.entries()) {
    const first = Math.max(entry.ipa, ipa), last = Math.min(entry.ipa + entry.size, end);
    for (let at = first; at < last;) {
      const pa = asPa(entry.pa + at - entry.ipa);
      const right = rightBytes(space, asIpa(at), pa, last - at, entry.flags);
      const wrong = right ? undefined : wrongPage(space, asIpa(at), pa, entry.flags);
      if (wrong) yield wrong;
      at += right || PAGE_SIZE;
    }
  }
}

/** How much of a run of the page tables is right, from its start. */
function rightBytes(space: AddressSpace, ipa: Ipa, pa: Pa, size: number, flags: number): number {
  const { memory } = space.services;
  const owner = memory.ownerOf(pa);
  if (!(owner instanceof Memextent)) return 0;
  const recorded = owner.mappings.recordedBytes(space, pa - owner.base, ipa, (attributes) => stage2Flags(attributes) === flags);
  return memory.ownedBytes(owner, pa, Math.min(recorded, size));
}

/** The violation of an entry of the page tables. */
function wrongPage(space: AddressSpace, ipa: Ipa, pa: Pa, flags: number): Violation | undefined {
  if (rightBytes(space, ipa, pa, PAGE_SIZE, flags) || space.keeps(ipa, pa)) return undefined;
  const owner = space.services.memory.ownerOf(pa);
  const values = { ipa: hex(ipa), pa: hex(pa), owner: owner?.name };
  return owner instanceof Memextent
    ? { object: space.name, rule: "a mapped page agrees with its owner's mappings", values: { ...values, flags } }
    : { object: space.name, rule: "each mapped page belongs to an extent", values };
}

/**
 * TLB entries of an address space lead to pages whose owner is mapped in it, with that access, or
 * which are left of a 1 GiB block.
 */
export function* checkCachedPages(space: AddressSpace): Generator<Violation> {
  const { core, memory } = space.services;
  if (space.state !== "active" || !core.residency) return;
  for (const { va, pa, write } of core.residency.cachedPages(space.stage2.id)) {
    const owner = memory.ownerOf(asPa(pa));
    const needs = write ? Stage2Flags.Write : Stage2Flags.Read;
    const mapped = owner instanceof Memextent && [...owner.mappings.within(pa - owner.base, PAGE_SIZE)]
      .some(({ addressSpace, range }) => addressSpace === space && stage2Flags(range.attributes) & needs);
    if (mapped || space.keepsSomewhere(asPa(pa))) continue;
    const values = { va: `0x${va.toString(16)}`, pa: hex(pa), write, owner: owner?.name };
    yield { object: space.name, rule: "a TLB leads to pages that are mapped in its address space", values };
  }
}
