// Memory parcels: memory that one VM lends, shares or donates to others
// (docs/spec/resource-manager.md §3.1 to §3.5, §5). A parcel has its own extent; its regions leave
// the owner's extent while it exists, so that a page is in one parcel only.
// parcel-regions.ts moves the memory of their owners, accept-parcel.ts that of their borrowers.

import type { CapId } from "../../abi/numbers.ts";
import { RmError } from "../../abi/rpc/errors.ts";
import { MEM_ACCEPTED, MEM_RELEASED, MemAttribute, MemType } from "../../abi/rpc/messages/memory.ts";
import { DonateOptions, DonateType, mapAttributes, MemoryType, ModifyFlags, ModifyOperation } from "../../abi/words.ts";
import type { Context } from "../state/context.ts";
import { notify } from "../rpc/link.ts";
import { demand, refuseAs } from "../calls/refusals.ts";
import type { Borrower, Parcel, Vm } from "../state/state.ts";
import { numberedId } from "../../abi/ids.ts";

/** Most mappings that a reason lists. */
const HOLDER_MAPPINGS_MAX = 16;

export const TO_SIBLING = (DonateOptions.NoSync | DonateType.ToSibling) >>> 0;

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
export function ownedExtent(vm: Vm, memType: number): CapId {
  const objects = vm.objects;
  demand(objects !== undefined, RmError.MEM_INVALID, "the VM owns no memory yet", { vmid: vm.vmid });
  return memType === MemType.Io ? objects.device : objects.memory;
}

export function addressSpace(vm: Vm): CapId {
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

/** map_attrs of a mapping with these rights for EL1 and EL0. */
export function mapping(rights: number, attribute: number): number {
  return mapAttributes(rights, rights, MEMORY_TYPES[attribute]);
}

/** Writes zeros over the whole parcel. */
export function zeroParcel(context: Context, parcel: Parcel): void {
  const flags = (ModifyOperation.ZeroRange | ModifyFlags.NoSync) >>> 0;
  for (const { offset, size } of parcel.regions) context.calls.memextent_modify({ memextent: parcel.extent, flags, offset, size });
}

/** Size of all regions, bytes. */
export function parcelSize(parcel: Parcel): number {
  return parcel.regions.reduce((sum, { size }) => sum + size, 0);
}

export function removeAccepted(vm: Vm, parcel: Parcel): void {
  const index = vm.accepted.indexOf(parcel.handle);
  if (index >= 0) vm.accepted.splice(index, 1);
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

export function removeParcel(context: Context, parcel: Parcel): void {
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
