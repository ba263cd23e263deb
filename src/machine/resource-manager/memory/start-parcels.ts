// The parcels of a VM that starts are accepted for it, each where it belongs
// (docs/spec/resource-manager.md §5.3).

import { RmError } from "../../abi/rpc/errors.ts";
import { AcceptFlags, MemAttribute, MemType, TransType } from "../../abi/rpc/messages/memory.ts";
import { AuthType } from "../../abi/rpc/messages/vm.ts";
import { Access } from "../../abi/words.ts";
import type { Context } from "../state/context.ts";
import { acceptParcel } from "./accept-parcel.ts";
import { borrowerOf, knownBorrower, parcelSize } from "./memparcels.ts";
import { asRefusal, demand } from "../calls/refusals.ts";
import { isSensitive, type Parcel, type PreparedVm } from "../state/state.ts";
import type { VdeviceConfig, VdeviceType } from "../config/vdevice-config.ts";

/** The parcel with image and devicetree is at the configuration's base address, in one piece. */
export function acceptImage(context: Context, vm: PreparedVm, parcel: Parcel): void {
  const borrower = borrowerOf(parcel, vm.vmid);
  const normal = borrower?.attribute === MemAttribute.Normal && parcel.memType !== MemType.Io;
  // A shared image, and one with fewer rights, is what the debug quality of the real Resource
  // Manager accepts, and what Linux's drivers give.
  demand(normal && parcel.transType !== TransType.Donate, RmError.MEM_INVALID, "the image parcel is not memory that the VM borrows");
  // An authenticated VM does not share its memory.
  const { acl, transType } = parcel;
  const exclusive = transType === TransType.Lend && acl.length === 1 && borrower.rights === Access.RWX;
  demand(
    vm.authType === AuthType.None || exclusive,
    RmError.MEM_INVALID,
    "the image parcel is not lent to the VM alone, with all rights",
    {
      handle: parcel.handle,
      auth_type: vm.authType,
    },
  );
  const size = parcelSize(parcel);
  const { baseAddress, sizeMax } = vm.config;
  demand(size <= sizeMax, RmError.MEM_INVALID, "the image parcel is larger than size-max", { size, sizeMax });
  acceptParcel(context, vm, parcel, {
    sgl: [{ address: BigInt(baseAddress), size: BigInt(size) }],
    flags: AcceptFlags.MapContiguous | AcceptFlags.Done | sanitized(vm),
  });
  vm.memorySize = size;
}

/** Memory of an authenticated VM is cleared before it is returned. */
function sanitized(vm: PreparedVm): number {
  return vm.authType === AuthType.None ? 0 : AcceptFlags.Sanitize;
}

/**
 * All other parcels for the VM, those with a fixed place first: those that vdevices wait for,
 * private memory after the image, those that a child of /reserved-memory waits for, and the rest
 * anywhere. Each kind is in the order in which the parcels were made.
 * @throws Refusal if a parcel does not fit at its fixed place
 */
export function acceptOthers(context: Context, vm: PreparedVm): void {
  const offered = (parcel: Parcel) => {
    const borrower = borrowerOf(parcel, vm.vmid);
    return borrower !== undefined && !borrower.accepted && !parcel.open;
  };
  const each = (step: (parcel: Parcel) => void) => [...context.state.parcels].filter(offered).forEach(step);
  each((parcel) => acceptForVdevice(context, vm, parcel));
  each((parcel) => isPrivate(vm, parcel) && acceptPrivate(context, vm, parcel));
  each((parcel) => acceptReserved(context, vm, parcel));
  each((parcel) => !isPrivate(vm, parcel) && acceptAnywhere(context, vm, parcel));
  const { sizeMin } = vm.config;
  if (vm.memorySize < sizeMin) context.log(`VM ${vm.vmid}: ${vm.memorySize} bytes of memory are under size-min, ${sizeMin}`);
}

/**
 * Buffers of a VM with secrets are cleared if it can have written data that their owner could not
 * read.
 */
function sanitizedBuffer(context: Context, vm: PreparedVm, parcel: Parcel): number {
  const { rights } = knownBorrower(parcel, vm.vmid);
  const owner = context.vm(parcel.owner);
  const ownerReads = parcel.acl.some((entry) => entry.vmid === parcel.owner && (entry.rights & Access.R) !== 0);
  const due = isSensitive(vm) && (rights & Access.W) !== 0 && (!ownerReads || (owner !== undefined && isSensitive(owner)));
  return due && parcel.memType !== MemType.Io ? AcceptFlags.Sanitize : 0;
}

/** A parcel that a child of /reserved-memory names by its label goes where that child is. */
function acceptReserved(context: Context, vm: PreparedVm, parcel: Parcel): void {
  const reserved = vm.config.reservedMemory.find(({ label }) => label === parcel.label);
  if (reserved === undefined) return;
  const { ranges } = reserved;
  const contiguous = ranges.length === 1 && ranges[0].size === parcelSize(parcel);
  const fits = contiguous || ranges.length === parcel.regions.length;
  demand(fits, RmError.ARGUMENT_INVALID, "the child of /reserved-memory has another size than the parcel", { path: reserved.path });
  const flags = AcceptFlags.Done | (contiguous ? AcceptFlags.MapContiguous : 0) | sanitizedBuffer(context, vm, parcel);
  acceptParcel(context, vm, parcel, { sgl: ranges.map(({ base, size }) => ({ address: BigInt(base), size: BigInt(size) })), flags });
}

/** Kinds of vdevices whose buffer has a fixed place. */
const PLACED: readonly VdeviceType[] = ["shm", "shm-doorbell", "virtio-mmio"];

/**
 * Accepts a parcel that a vdevice waits for: a buffer with a base address, or device memory. False
 * when none does.
 * @throws Refusal
 */
export function acceptForVdevice(context: Context, vm: PreparedVm, parcel: Parcel): boolean {
  if (parcel.memType === MemType.Io) return acceptIomem(context, vm, parcel);
  const base = vm.config.vdevices.find(({ type, memory }) => PLACED.includes(type) && memory?.label === parcel.label)?.memory?.base;
  if (base === undefined) return false;
  const size = BigInt(parcelSize(parcel));
  const flags = AcceptFlags.MapContiguous | AcceptFlags.Done | sanitizedBuffer(context, vm, parcel);
  acceptParcel(context, vm, parcel, { sgl: [{ address: BigInt(base), size }], flags });
  return true;
}

/**
 * Device memory for an iomem vdevice, if it is the memory that the vdevice names.
 * @throws Refusal
 */
function acceptIomem(context: Context, vm: PreparedVm, parcel: Parcel): boolean {
  const device = iomemOf(vm, parcel);
  if (device === undefined) return false;
  const { iomemRights, iomemAttributes, iomemRanges } = device;
  const borrower = knownBorrower(parcel, vm.vmid);
  const { regions } = parcel;
  const same = (iomemRights === undefined || borrower.rights === iomemRights[0]) &&
    (iomemAttributes === undefined || borrower.attribute === iomemAttributes[0]) &&
    (iomemRanges === undefined || iomemRanges.length === regions.length && iomemRanges.every(({ address, size }, index) => {
          return Number(address) === regions[index].offset && Number(size) === regions[index].size;
        }));
  demand(same, RmError.VALIDATE_FAILED, "the device memory is not what the iomem vdevice says", { handle: parcel.handle });
  acceptParcel(context, vm, parcel, { sgl: [], flags: AcceptFlags.Done });
  return true;
}

/** The iomem vdevice that a parcel is for. */
export function iomemOf(vm: PreparedVm, parcel: Parcel): VdeviceConfig | undefined {
  return vm.config.vdevices.find(({ type, memory }) => type === "iomem" && memory?.label === parcel.label);
}

/** Whether a parcel is memory of the VM alone, to use as any other. */
export function isPrivate(vm: PreparedVm, parcel: Parcel): boolean {
  const [entry] = parcel.borrowers;
  return parcel.memType !== MemType.Io && parcel.label === 0 && parcel.acl.length === 1 && parcel.transType === TransType.Lend &&
    entry.vmid === vm.vmid && entry.rights === Access.RWX && entry.attribute === MemAttribute.Normal;
}

function acceptPrivate(context: Context, vm: PreparedVm, parcel: Parcel): void {
  const size = parcelSize(parcel);
  const { baseAddress, sizeMax } = vm.config;
  if (vm.memorySize + size > sizeMax) {
    context.log(`VM ${vm.vmid}: parcel ${parcel.handle} exceeds size-max and is left out`);
    return;
  }
  const address = BigInt(baseAddress + vm.memorySize);
  acceptParcel(context, vm, parcel, {
    sgl: [{ address, size: BigInt(size) }],
    flags: AcceptFlags.MapContiguous | AcceptFlags.Done | sanitized(vm),
  });
  vm.memorySize += size;
}

/**
 * A parcel that does not fit is left out. So is one with more regions than one request may place,
 * as on the real Resource Manager.
 */
function acceptAnywhere(context: Context, vm: PreparedVm, parcel: Parcel): void {
  const sanitize = sanitizedBuffer(context, vm, parcel);
  try {
    acceptParcel(context, vm, parcel, { sgl: [], flags: AcceptFlags.Done | sanitize });
  } catch (failure) {
    const { rule } = asRefusal(failure);
    context.log(`VM ${vm.vmid}: parcel ${parcel.handle} is left out: ${rule}`);
  }
}
