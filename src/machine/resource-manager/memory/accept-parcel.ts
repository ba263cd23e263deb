// The borrower's side of a memory parcel: its addresses and mappings in a VM, until the VM releases
// it or is reset (docs/spec/resource-manager.md §3.2, §3.3, §5).

import { asIpa, asVmid, type Ipa, type Pa } from "../../abi/numbers.ts";
import { RmError } from "../../abi/rpc/errors.ts";
import { AcceptFlags, MemType, TransType } from "../../abi/rpc/messages/memory.ts";
import { Access } from "../../abi/words.ts";
import { type Addresses, allocateRange, freeRange, takeRange } from "../state/addresses.ts";
import type { Context } from "../state/context.ts";
import { PARTIAL } from "../state/mapping.ts";
import { EXTENT_SIZE } from "../state/memory-layout.ts";
import { demand, refuseAs } from "../calls/refusals.ts";
import type { Borrower, Parcel, Vm } from "../state/state.ts";
import { PAGE_SIZE } from "../../../kit/support/values/sizes.ts";
import {
  addressSpace,
  borrowerOf,
  holderOf,
  mapping,
  ownedExtent,
  parcelSize,
  removeAccepted,
  removeParcel,
  type SglEntry,
  TO_SIBLING,
} from "./memparcels.ts";

/** Most regions that get an address in one request. */
const ASSIGNED_MAX = 512;
/** Owner of a parcel whose owner was reset. */
const NOBODY = asVmid(0xffff);
/** Regions of this size get an address of this alignment when the Resource Manager chooses. */
const BLOCK_SIZE = 0x20_0000;

/** How a parcel is accepted. */
interface Acceptance {
  /** Addresses for the next regions; empty lets the Resource Manager choose. */
  readonly sgl: readonly SglEntry[];
  /** Bits of `AcceptFlags`: MapContiguous, Sanitize and Done count here. */
  readonly flags: number;
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
