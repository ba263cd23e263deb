// The owner's side of a memory parcel: its memory leaves the owner region by region, and returns
// (docs/spec/resource-manager.md §3.1, §3.5, §5).

import { asIpa, asPa } from "../../abi/numbers.ts";
import { ErrorCode } from "../../abi/errors.ts";
import { RmError } from "../../abi/rpc/errors.ts";
import { MemAttribute, MemType } from "../../abi/rpc/messages/memory.ts";
import { Access } from "../../abi/words.ts";
import type { AddressRange } from "../state/addresses.ts";
import type { Context } from "../state/context.ts";
import { PARTIAL } from "../state/mapping.ts";
import { assignMemory, resetAssignment } from "./memory-assignment.ts";
import { EXTENT_SIZE } from "../state/memory-layout.ts";
import { demand, Refusal, refuseAs } from "../calls/refusals.ts";
import type { AssignedVm, Parcel, ParcelRegion, PhysicalRange, Vm } from "../state/state.ts";
import { PAGE_SIZE } from "../../../kit/support/values/sizes.ts";
import {
  addressSpace,
  holderOf,
  knownBorrower,
  mapping,
  ownedExtent,
  removeAccepted,
  removeParcel,
  type SglEntry,
  TO_SIBLING,
  waysToFree,
} from "./memparcels.ts";

/** Most regions of a parcel. */
export const REGIONS_MAX = 2 ** 20;

/**
 * Moves the owner's memory into the parcel. All or nothing.
 * @throws Refusal with the errors of §3.1, rows 17 to 21.
 */
export function addRegions(context: Context, owner: Vm, parcel: Parcel, sgl: readonly SglEntry[]): void {
  const before = parcel.regions.length;
  try {
    for (const entry of sgl) addEntry(context, owner, parcel, entry);
    if (parcel.memType !== MemType.Io) assignMemory(context, { ...sets(parcel), ranges: parcel.regions.slice(before).map(rangeOf) });
  } catch (failure) {
    returnRegions(context, owner, parcel, before);
    throw failure;
  }
}

function addEntry(context: Context, owner: Vm, parcel: Parcel, entry: SglEntry): void {
  const values = { ipa: entry.address, size: entry.size };
  const aligned = (entry.address | entry.size) % BigInt(PAGE_SIZE) === 0n;
  const inRange = entry.address < BigInt(EXTENT_SIZE) && entry.size < BigInt(EXTENT_SIZE);
  demand(aligned && inRange, RmError.ARGUMENT_INVALID, "an address or size is not page aligned or too large", values);
  demand(entry.size > 0n, RmError.MEM_INVALID, "a range is empty", values);
  const { calls } = context;
  const extent = ownedExtent(owner, parcel.memType);
  const addrspace = addressSpace(owner);
  // A range that is physically scattered becomes a region for each contiguous piece.
  let ipa = asIpa(Number(entry.address));
  const end = ipa + Number(entry.size);
  while (ipa < end) {
    const { error, offset, size } = calls.try.addrspace_lookup({ addrspace, memextent: extent, vbase: ipa, size: end - ipa });
    if (error !== ErrorCode.OK) refuseMemory(context, owner, parcel, { base: ipa, size: end - ipa });
    addRegion(context, owner, parcel, { ownerIpa: ipa, offset: asPa(offset), size });
    ipa = asIpa(ipa + size);
  }
}

/**
 * Reports why the owner does not have the memory of a range: if it is in a parcel, which one and
 * who holds that.
 * @throws Refusal
 */
function refuseMemory(context: Context, owner: Vm, parcel: Parcel, range: AddressRange): never {
  const values = { ipa: range.base, size: range.size };
  const overlaps = ({ ownerIpa, size }: ParcelRegion) => ownerIpa < range.base + range.size && range.base < ownerIpa + size;
  const twice = { ...values, handle: parcel.handle };
  demand(!parcel.regions.some(overlaps), RmError.MEM_INVALID, "the memory is in this parcel already", twice, { section: "5.4" });
  const other = context.state.parcels.find((each) => each.owner === owner.vmid && each.regions.some(overlaps));
  if (other === undefined) {
    throw new Refusal(RmError.MEM_INVALID, "the owner does not own the memory there", values, { byHypercall: true });
  }
  const holder = holderOf(context, other);
  throw new Refusal(RmError.MEM_INVALID, "the memory is in a parcel already", { ...values, handle: other.handle, ...holder }, {
    section: "5.4",
    wayOut: holder === undefined ? "reclaim that parcel first" : `${waysToFree(holder)}; then reclaim that parcel`,
  });
}

function addRegion(context: Context, owner: Vm, parcel: Parcel, region: ParcelRegion): void {
  demand(parcel.regions.length < REGIONS_MAX, RmError.DENIED, `a parcel has at most ${REGIONS_MAX} regions`);
  const { calls } = context;
  const { ownerIpa, offset, size } = region;
  const own = parcel.acl.find(({ vmid }) => vmid === owner.vmid);
  context.allOrNothing((onFailure) => {
    if (own !== undefined) {
      // Shared memory stays mapped in the owner, now through the parcel and with the rights that
      // the ACL leaves.
      const attributes = mapping(own.rights, attributeOf(parcel, owner.vmid));
      refuseAs(RmError.MAP_FAILED, "the owner's mapping of the parcel is refused", () => {
        calls.addrspace_map({
          addrspace: addressSpace(owner),
          memextent: parcel.extent,
          vbase: ownerIpa,
          map_attrs: attributes,
          map_flags: PARTIAL,
          offset,
          size,
        });
      });
      onFailure(() => unmapAtOwner(context, owner, parcel, region));
    }
    refuseAs(RmError.MEM_INVALID, "the memory cannot leave its owner", () => {
      calls.memextent_donate({ options: TO_SIBLING, from: ownedExtent(owner, parcel.memType), to: parcel.extent, offset, size });
    });
  });
  parcel.regions.push(region);
}

/**
 * Removes the mapping of a region that its owner has through the parcel: an extent has few slots
 * for mappings.
 */
function unmapAtOwner(context: Context, owner: Vm, parcel: Parcel, { ownerIpa, offset, size }: ParcelRegion): void {
  context.undo.addrspace_unmap({
    addrspace: addressSpace(owner),
    memextent: parcel.extent,
    vbase: ownerIpa,
    map_flags: PARTIAL,
    offset,
    size,
  });
}

/** Returns the added regions to the owner, from region `first` on: for a request that failed. */
export function returnRegions(context: Context, owner: Vm, parcel: Parcel, first: number): void {
  const extent = ownedExtent(owner, parcel.memType);
  const regions = parcel.regions.splice(first).reverse();
  const shared = parcel.acl.some(({ vmid }) => vmid === owner.vmid);
  for (const region of regions) {
    context.undo.memextent_donate({ options: TO_SIBLING, from: parcel.extent, to: extent, offset: region.offset, size: region.size });
    if (shared) unmapAtOwner(context, owner, parcel, region);
  }
  const { from, to } = sets(parcel);
  resetAssignment(context, { from: to, to: from, ranges: regions.map(rangeOf) });
}

/**
 * The VMs that the platform's firmware has a parcel's memory assigned to: before the parcel is
 * made, and from then on.
 */
function sets(parcel: Parcel): { from: AssignedVm[]; to: readonly AssignedVm[] } {
  return { from: [{ vmid: parcel.owner, rights: Access.RWX }], to: parcel.acl };
}

function rangeOf({ offset, size }: ParcelRegion): PhysicalRange {
  return { base: offset, size };
}

/** Gives a region back to the owner, whose own mapping of it then counts again. */
function returnRegion(context: Context, owner: Vm, parcel: Parcel, region: ParcelRegion): void {
  const extent = ownedExtent(owner, parcel.memType);
  context.calls.memextent_donate({ options: TO_SIBLING, from: parcel.extent, to: extent, offset: region.offset, size: region.size });
}

function attributeOf(parcel: Parcel, vmid: number): number {
  const given = parcel.attributes.find((entry) => entry.vmid === vmid)?.attribute;
  return given ?? (parcel.memType === MemType.Io ? MemAttribute.Device : MemAttribute.Normal);
}

/**
 * Returns the parcel's memory to its owner and removes it: all of it or nothing.
 * @throws Refusal with MEM_INVALID
 */
export function reclaimParcel(context: Context, owner: Vm, parcel: Parcel): void {
  const extent = ownedExtent(owner, parcel.memType);
  const { from, to } = sets(parcel);
  const ranges = parcel.memType === MemType.Io ? [] : parcel.regions.map(rangeOf);
  context.allOrNothing((onFailure) => {
    if (ranges.length > 0) {
      assignMemory(context, { from: to, to: from, ranges });
      onFailure(() => resetAssignment(context, { from, to, ranges }));
    }
    for (const region of parcel.regions) {
      refuseAs(RmError.MEM_INVALID, "the memory cannot go back to its owner", () => returnRegion(context, owner, parcel, region));
      onFailure(() =>
        context.undo.memextent_donate({ options: TO_SIBLING, from: extent, to: parcel.extent, offset: region.offset, size: region.size })
      );
    }
  });
  removeParcel(context, parcel);
}

/**
 * A parcel that its one borrower has accepted becomes pages of the borrower's own extent, at the
 * same addresses: its owner reclaims them like pages that it gave by hypercalls. All or nothing.
 * @throws Refusal
 */
export function dissolveParcel(context: Context, vm: Vm, parcel: Parcel): void {
  const { calls } = context;
  const { rights, attribute, ipas } = knownBorrower(parcel, vm.vmid);
  const place = { addrspace: addressSpace(vm), memextent: ownedExtent(vm, parcel.memType), map_flags: PARTIAL };
  const map_attrs = mapping(rights, attribute);
  const { from, to } = sets(parcel);
  const ranges = parcel.regions.map(rangeOf);
  context.allOrNothing((onFailure) => {
    assignMemory(context, { from: to, to: from, ranges });
    onFailure(() => resetAssignment(context, { from, to, ranges }));
    parcel.regions.forEach(({ offset, size }, index) => {
      const donation = { options: TO_SIBLING, offset, size };
      calls.memextent_donate({ ...donation, from: parcel.extent, to: place.memextent });
      onFailure(() => context.undo.memextent_donate({ ...donation, from: place.memextent, to: parcel.extent }));
      calls.addrspace_map({ ...place, vbase: ipas[index], map_attrs, offset, size });
      onFailure(() => context.undo.addrspace_unmap({ ...place, vbase: ipas[index], offset, size }));
    });
  });
  removeAccepted(vm, parcel);
  removeParcel(context, parcel);
}
