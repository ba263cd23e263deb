// Memory parcels: memory that one VM lends, shares or donates to others
// (docs/spec/resource-manager.md §3.1 to §3.5, §5). A parcel has its own extent; its regions leave
// the owner's extent while it exists, so that a page is in one parcel only.

import { asIpa, asPa, asVmid, type CapId, type Ipa, type Pa } from "../../abi/numbers.ts";
import { ErrorCode } from "../../abi/errors.ts";
import { RmError } from "../../abi/rpc/errors.ts";
import { AcceptFlags, MEM_ACCEPTED, MEM_RELEASED, MemAttribute, MemType, TransType } from "../../abi/rpc/messages/memory.ts";
import { Access, DonateOptions, DonateType, mapAttributes, MemoryType, ModifyFlags, ModifyOperation } from "../../abi/words.ts";
import { type Addresses, type AddressRange, allocateRange, freeRange, takeRange } from "../state/addresses.ts";
import type { Context } from "../state/context.ts";
import { notify } from "../rpc/link.ts";
import { PARTIAL } from "../state/mapping.ts";
import { assignMemory, resetAssignment } from "./memory-assignment.ts";
import { EXTENT_SIZE } from "../state/memory-layout.ts";
import { demand, Refusal, refuseAs } from "../calls/refusals.ts";
import type { AssignedVm, Borrower, Parcel, ParcelRegion, PhysicalRange, Vm } from "../state/state.ts";
import { PAGE_SIZE } from "../../support/sizes.ts";
import { numberedId } from "../../abi/ids.ts";

/** Most regions of a parcel, and most that get an address in one request. */
export const REGIONS_MAX = 2 ** 20;
const ASSIGNED_MAX = 512;
/** Owner of a parcel whose owner was reset. */
const NOBODY = asVmid(0xffff);
/** Most mappings that a reason lists. */
const HOLDER_MAPPINGS_MAX = 16;
/** Regions of this size get an address of this alignment when the Resource Manager chooses. */
const BLOCK_SIZE = 0x20_0000;

const TO_SIBLING = (DonateOptions.NoSync | DonateType.ToSibling) >>> 0;

const MEMORY_TYPES: Readonly<Record<number, number>> = {
  [MemAttribute.Normal]: MemoryType.NormalWB,
  [MemAttribute.Device]: MemoryType.DeviceNGnRE,
  [MemAttribute.Uncached]: MemoryType.NormalNC,
  [MemAttribute.Cached]: MemoryType.NormalWB,
};

/** A range of addresses as messages carry it. */
export interface SglEntry {
  readonly address: bigint;
  readonly size: bigint;
}

/** The extent of a VM that the memory of a parcel of this type comes from and goes back to. */
function ownedExtent(vm: Vm, memType: number): CapId {
  const objects = vm.objects;
  demand(objects !== undefined, RmError.MEM_INVALID, "the VM owns no memory yet", { vmid: vm.vmid });
  return memType === MemType.Io ? objects.device : objects.memory;
}

function addressSpace(vm: Vm): CapId {
  const addrspace = vm.objects?.addrspace;
  demand(addrspace !== undefined, RmError.MEM_INVALID, "the VM has no address space yet", { vmid: vm.vmid });
  return addrspace;
}

/** An extent for a parcel, owning nothing. */
export function createParcelExtent(context: Context, memType: number): CapId {
  return refuseAs(RmError.NOMEM, "the parcel's extent cannot be made", () => {
    return context.sparseExtent(memType === MemType.Io ? "device" : "memory");
  });
}

/**
 * The next handle: a counter that skips handles in use and the invalid one. It advances even when
 * the request then fails.
 */
export function nextHandle(context: Context): number {
  const { state } = context;
  for (;;) {
    const handle = state.nextHandle;
    state.nextHandle = (handle + 1) >>> 0;
    if (handle !== 0xffff_ffff && !state.parcels.some((parcel) => parcel.handle === handle)) return handle;
  }
}

/**
 * The parcel of this handle.
 * @throws Refusal with HANDLE_INVALID
 */
export function parcelOf(context: Context, handle: number): Parcel {
  const parcel = context.state.parcels.find((each) => each.handle === handle);
  demand(parcel !== undefined, RmError.HANDLE_INVALID, "there is no parcel of this handle", { handle });
  return parcel;
}

/** The VM's entry in the parcel's ACL; the owner has none. */
export function borrowerOf(parcel: Parcel, vmid: number): Borrower | undefined {
  return parcel.borrowers.find((borrower) => borrower.vmid === vmid);
}

/**
 * The entry of a VM that is known to have one.
 * @throws Error if it has none
 */
export function knownBorrower(parcel: Parcel, vmid: number): Borrower {
  const borrower = borrowerOf(parcel, vmid);
  if (borrower === undefined) throw new Error(`VM ${vmid} does not borrow parcel ${parcel.handle}`);
  return borrower;
}

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

/** map_attrs of a mapping with these rights for EL1 and EL0. */
function mapping(rights: number, attribute: number): number {
  return mapAttributes(rights, rights, MEMORY_TYPES[attribute]);
}

/** Writes zeros over the whole parcel. */
export function zeroParcel(context: Context, parcel: Parcel): void {
  const flags = (ModifyOperation.ZeroRange | ModifyFlags.NoSync) >>> 0;
  for (const { offset, size } of parcel.regions) context.calls.memextent_modify({ memextent: parcel.extent, flags, offset, size });
}

/** How a parcel is accepted. */
export interface Acceptance {
  /** Addresses for the next regions; empty lets the Resource Manager choose. */
  readonly sgl: readonly SglEntry[];
  /** Bits of `AcceptFlags`: MapContiguous, Sanitize and Done count here. */
  readonly flags: number;
}

/** Size of all regions, bytes. */
export function parcelSize(parcel: Parcel): number {
  return parcel.regions.reduce((sum, { size }) => sum + size, 0);
}

/**
 * Gives the parcel's regions addresses in the VM and, with Done, maps them.
 * @returns the addresses assigned now, with their sizes.
 * @throws Refusal with the errors of §3.2 that come after the comparison of types and labels.
 */
export function acceptParcel(context: Context, vm: Vm, parcel: Parcel, acceptance: Acceptance): SglEntry[] {
  const borrower = borrowerOf(parcel, vm.vmid);
  demand(parcel.acl.some(({ vmid }) => vmid === vm.vmid), RmError.VMID_INVALID, "the VM is not in the parcel's ACL", { vmid: vm.vmid });
  const values = { handle: parcel.handle, vmid: vm.vmid };
  demand(borrower !== undefined && !borrower.mapped, RmError.DENIED, "the owner, or who has the parcel already, cannot accept it", values);
  demand(!parcel.open, RmError.DENIED, "the parcel is still open", { handle: parcel.handle });
  demand(parcel.owner !== NOBODY, RmError.DENIED, "the parcel's owner no longer exists", { handle: parcel.handle });
  const contiguous = (acceptance.flags & AcceptFlags.MapContiguous) !== 0;
  const io = parcel.memType === MemType.Io;
  const fits = !contiguous || (!io && (!borrower.accepted || borrower.contiguous));
  demand(fits, RmError.ARGUMENT_INVALID, "the parcel cannot be mapped contiguously", values);
  const sanitize = (acceptance.flags & AcceptFlags.Sanitize) !== 0;
  const sanitizable = !sanitize || (!io && (borrower.rights & Access.W) !== 0);
  demand(sanitizable, RmError.ARGUMENT_INVALID, "device memory, and memory that the VM cannot write, is not sanitized", values);

  const first = borrower.ipas.length;
  const given = assign(vm, parcel, borrower, acceptance.sgl, contiguous);
  try {
    if (acceptance.flags & AcceptFlags.Done) {
      const complete = borrower.ipas.length === parcel.regions.length;
      const progress = { ...values, regions: parcel.regions.length, placed: borrower.ipas.length };
      demand(complete, RmError.ARGUMENT_INVALID, "regions are left that have no address", progress);
      mapParcel(context, vm, parcel, borrower);
    }
  } catch (failure) {
    unassign(vm, parcel, borrower, first);
    throw failure;
  }
  if (sanitize) parcel.sanitizeAtReclaim = true;
  if (!borrower.accepted) vm.accepted.push(parcel.handle);
  borrower.accepted = true;
  borrower.contiguous = contiguous;
  if (borrower.mapped && parcel.transType === TransType.Donate) {
    removeAccepted(vm, parcel);
    removeParcel(context, parcel);
  }
  return given;
}

/** Gives the next regions addresses: the given ones, or the lowest that are free. */
function assign(vm: Vm, parcel: Parcel, borrower: Borrower, sgl: readonly SglEntry[], contiguous: boolean): SglEntry[] {
  const first = borrower.ipas.length;
  const pending = parcel.regions.slice(first, first + ASSIGNED_MAX);
  if (contiguous) return assignContiguous(vm, parcel, borrower, sgl);
  demand(sgl.length <= pending.length, RmError.ARGUMENT_INVALID, "there are more addresses than regions", { regions: pending.length });
  const regions = sgl.length > 0 ? pending.slice(0, sgl.length) : pending;
  try {
    return regions.map((region, index) => {
      const ipa = placeOf(vm, parcel, sgl[index], region.offset, region.size);
      borrower.ipas.push(ipa);
      return { address: BigInt(ipa), size: BigInt(region.size) };
    });
  } catch (failure) {
    unassign(vm, parcel, borrower, first);
    throw failure;
  }
}

function assignContiguous(vm: Vm, parcel: Parcel, borrower: Borrower, sgl: readonly SglEntry[]): SglEntry[] {
  if (borrower.ipas.length === parcel.regions.length && borrower.accepted) return [];
  demand(sgl.length <= 1, RmError.ARGUMENT_INVALID, "a contiguous mapping has one address", { addresses: sgl.length });
  const size = parcelSize(parcel);
  let ipa = placeOf(vm, parcel, sgl[0], parcel.regions[0].offset, size);
  const given = [{ address: BigInt(ipa), size: BigInt(size) }];
  for (const region of parcel.regions) {
    borrower.ipas.push(ipa);
    ipa = asIpa(ipa + region.size);
  }
  return given;
}

function addressesOf({ addresses, vmid }: Vm): Addresses {
  demand(addresses !== undefined, RmError.NORESOURCE, "the VM has no addresses to give", { vmid });
  return addresses;
}

/** Takes addresses of the VM for `size` bytes at physical address `pa`. */
function placeOf(vm: Vm, parcel: Parcel, wanted: SglEntry | undefined, pa: Pa, size: number): Ipa {
  const space = addressesOf(vm);
  const direct = vm.direct || parcel.memType === MemType.Io;
  if (wanted === undefined) {
    const alignment = size >= BLOCK_SIZE ? BLOCK_SIZE : PAGE_SIZE;
    const same = asIpa(pa);
    const base = direct ? (takeRange(space, { base: same, size }) ? same : undefined) : allocateRange(space, size, alignment);
    demand(base !== undefined, RmError.NORESOURCE, "no address is free", { size });
    return base;
  }
  const values = { ipa: wanted.address, size: wanted.size };
  const valid = wanted.address % BigInt(PAGE_SIZE) === 0n && wanted.address < BigInt(EXTENT_SIZE);
  demand(valid, RmError.ARGUMENT_INVALID, "an address is not page aligned or too large", values);
  demand(wanted.size === BigInt(size), RmError.ARGUMENT_INVALID, "a size is not the region's", { ...values, region: size });
  const base = asIpa(Number(wanted.address));
  const free = (!direct || base === asIpa(pa)) && takeRange(space, { base, size });
  demand(free, RmError.NORESOURCE, "the address is taken or not available", values);
  return base;
}

/** Takes addresses back, from region `first` on. */
function unassign(vm: Vm, parcel: Parcel, borrower: Borrower, first: number): void {
  for (let index = first; index < borrower.ipas.length; index++) {
    freeRange(addressesOf(vm), { base: borrower.ipas[index], size: parcel.regions[index].size });
  }
  borrower.ipas.length = first;
}

function mapParcel(context: Context, vm: Vm, parcel: Parcel, borrower: Borrower): void {
  const { calls } = context;
  const addrspace = addressSpace(vm);
  const donated = parcel.transType === TransType.Donate;
  const extent = donated ? ownedExtent(vm, parcel.memType) : parcel.extent;
  const owner = context.vm(parcel.owner);
  const attributes = mapping(borrower.rights, borrower.attribute);
  context.allOrNothing((onFailure) => {
    parcel.regions.forEach(({ offset, size }, index) => {
      if (donated) {
        refuseAs(RmError.MEM_INVALID, "the memory cannot go to the VM", () => {
          calls.memextent_donate({ options: TO_SIBLING, from: parcel.extent, to: extent, offset, size });
        });
        onFailure(() => context.undo.memextent_donate({ options: TO_SIBLING, from: extent, to: parcel.extent, offset, size }));
      }
      const ipa = borrower.ipas[index];
      refuseAs(RmError.MAP_FAILED, "the mapping is refused", () => {
        calls.addrspace_map({ addrspace, memextent: extent, vbase: ipa, map_attrs: attributes, map_flags: PARTIAL, offset, size });
      });
      onFailure(() => context.undo.addrspace_unmap({ addrspace, memextent: extent, vbase: ipa, map_flags: PARTIAL, offset, size }));
    });
  });
  borrower.mapped = true;
  if (donated && owner !== undefined) forgetDonor(context, owner, parcel);
}

/** Donated memory no longer occupies the old owner's addresses. */
function forgetDonor(context: Context, owner: Vm, parcel: Parcel): void {
  for (const { ownerIpa, offset, size } of parcel.regions) {
    context.undo.addrspace_unmap({
      addrspace: addressSpace(owner),
      memextent: ownedExtent(owner, parcel.memType),
      vbase: ownerIpa,
      map_flags: PARTIAL,
      offset,
      size,
    });
    if (owner.addresses !== undefined) freeRange(owner.addresses, { base: ownerIpa, size });
  }
}

/**
 * Unmaps the parcel from a borrower and frees its addresses: all of it or nothing.
 * @throws Refusal with MAP_FAILED
 */
export function releaseParcel(context: Context, vm: Vm, parcel: Parcel, borrower: Borrower): void {
  if (borrower.mapped) {
    const addrspace = addressSpace(vm);
    const attributes = mapping(borrower.rights, borrower.attribute);
    context.allOrNothing((onFailure) => {
      parcel.regions.forEach(({ offset, size }, index) => {
        const ipa = borrower.ipas[index];
        refuseAs(RmError.MAP_FAILED, "the parcel cannot be unmapped", () => {
          context.calls.addrspace_unmap({ addrspace, memextent: parcel.extent, vbase: ipa, map_flags: PARTIAL, offset, size });
        });
        onFailure(() =>
          context.undo.addrspace_map({
            addrspace,
            memextent: parcel.extent,
            vbase: ipa,
            map_attrs: attributes,
            map_flags: PARTIAL,
            offset,
            size,
          })
        );
      });
    });
  }
  forget(context, vm, parcel, borrower);
}

/**
 * Takes the parcel from a borrower that is being reset: even if the hypervisor refuses, the
 * borrower no longer has it.
 */
export function forceRelease(context: Context, vm: Vm, parcel: Parcel, borrower: Borrower): void {
  if (borrower.mapped) {
    parcel.regions.forEach(({ offset, size }, index) => {
      context.undo.addrspace_unmap({
        addrspace: addressSpace(vm),
        memextent: parcel.extent,
        vbase: borrower.ipas[index],
        map_flags: PARTIAL,
        offset,
        size,
      });
    });
  }
  forget(context, vm, parcel, borrower);
}

function removeAccepted(vm: Vm, parcel: Parcel): void {
  const index = vm.accepted.indexOf(parcel.handle);
  if (index >= 0) vm.accepted.splice(index, 1);
}

function forget(context: Context, vm: Vm, parcel: Parcel, borrower: Borrower): void {
  unassign(vm, parcel, borrower, 0);
  removeAccepted(vm, parcel);
  borrower.mapped = false;
  borrower.gone ||= borrower.accepted;
  borrower.accepted = false;
  borrower.contiguous = false;
  if (parcel.owner === NOBODY && holderOf(context, parcel) === undefined) removeParcel(context, parcel);
}

/**
 * A VM is removed: its parcels without a holder go with it, the others when their last borrower
 * releases them. They can no longer be reclaimed or accepted.
 */
export function orphanParcelsOf(context: Context, vm: Vm): void {
  for (const parcel of context.state.parcels.filter(({ owner }) => owner === vm.vmid)) {
    parcel.owner = NOBODY;
    if (holderOf(context, parcel) === undefined) removeParcel(context, parcel);
  }
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

/** The holder of a parcel, for the reason of a refusal. */
interface Holder extends Readonly<Record<string, unknown>> {
  /** VMID. */
  readonly borrower: number;
}

/** The holder of a parcel: its addresses and address space. */
export function holderOf(context: Context, parcel: Parcel): Holder | undefined {
  const borrower = parcel.borrowers.find(({ accepted }) => accepted);
  if (borrower === undefined) return undefined;
  const mappings = borrower.ipas.slice(0, HOLDER_MAPPINGS_MAX).map((ipa, index) => ({ ipa, size: parcel.regions[index].size }));
  return {
    handle: parcel.handle,
    borrower: borrower.vmid,
    mapped: borrower.mapped,
    mappings,
    regions: borrower.ipas.length,
    addrspace_cap: context.vm(borrower.vmid)?.objects?.addrspace,
    extent_cap: parcel.extent,
  };
}

/** The steps of a borrower, or of a VM that can take the parcel from it, to free the parcel. */
export function waysToFree({ borrower }: Holder): string {
  return `${numberedId("vm", borrower)} sends MEM_RELEASE, or its owner ends it and sends VM_RESET`;
}

function removeParcel(context: Context, parcel: Parcel): void {
  context.remove(parcel.extent);
  const { parcels } = context.state;
  parcels.splice(parcels.indexOf(parcel), 1);
}

/** Notifies the owner that a borrower returned the parcel. */
export function notifyReleased(context: Context, parcel: Parcel, vmid: number): void {
  const owner = context.vm(parcel.owner);
  if (owner === undefined) return;
  notify(context, owner, MEM_RELEASED, { handle: parcel.handle, vmid, mem_info_tag: parcel.memInfoTag ?? 0 });
}

/** Notifies the owner that a borrower has the parcel. */
export function notifyAccepted(context: Context, parcel: Parcel, vmid: number): void {
  const owner = context.vm(parcel.owner);
  if (owner === undefined) return;
  notify(context, owner, MEM_ACCEPTED, { handle: parcel.handle, vmid, mem_info_tag: parcel.memInfoTag ?? 0 });
}

/** Refuses what only an owner may do. */
export function requireOwner(parcel: Parcel, caller: Vm): void {
  const { owner, handle } = parcel;
  demand(owner === caller.vmid, RmError.DENIED, "the parcel belongs to another VM", { handle, owner, caller: caller.vmid });
}
