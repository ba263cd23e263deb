// VMs whose owner gives them memory page by page (docs/spec/resource-manager.md §3.15): the place
// of their image, the addresses that the owner fills, and the capabilities that it needs for that.
// A private page goes from the owner's extent to the VM's; a shared one goes to an extent that is
// mapped in the owner as well, so that both have it. The owner maps either into the VM's address
// space, and takes its pages back before it asks for VM_RESET: pages that it leaves there stay the
// Resource Manager's.

import { asIpa, asPa, type CapId } from "../../abi/numbers.ts";
import { RmError } from "../../abi/rpc/errors.ts";
import { AddressRange } from "../../abi/rpc/messages/configuration.ts";
import { ExtentLabel, ResourceType } from "../../abi/rpc/messages/resources.ts";
import { TransType } from "../../abi/rpc/messages/memory.ts";
import { AuthType, VmState } from "../../abi/rpc/messages/vm.ts";
import { AddrspaceRight, MemextentRight } from "../../abi/rights.ts";
import { ModifyFlags, ModifyOperation, PoweronFlags, RegisterSet, VmmioOperation } from "../../abi/words.ts";
import type { AddressRange as Range } from "../state/addresses.ts";
import type { Context } from "../state/context.ts";
import { PARTIAL, READ_WRITE } from "../state/mapping.ts";
import { EXTENT_SIZE } from "../state/memory-layout.ts";
import { knownBorrower, parcelOf } from "./memparcels.ts";
import { dissolveParcel } from "./parcel-regions.ts";
import { demand } from "../calls/refusals.ts";
import type { BuiltVm, ConfiguredVm, OwnerCap, PreparedVm, Vm, VmRecord } from "../state/state.ts";
import { FIRST_RAM_ADDRESS } from "../config/limits.ts";
import type { VmConfig } from "../config/vm-config.ts";
import { PAGE_SIZE } from "../../../kit/support/values/sizes.ts";

const ZERO = (ModifyOperation.ZeroRange | ModifyFlags.NoSync) >>> 0;

/**
 * Sets a register of the boot vCPUs, which VM_START then keeps.
 * @throws Refusal, HypercallFailure
 */
export function setBootRegister(context: Context, vm: Vm, set: number, index: number, value: bigint): void {
  const { vmid, state } = vm;
  demand(state === VmState.Ready, RmError.VM_STATE, "the VM is not in the state READY", { vmid, state });
  demand(vm.authType !== AuthType.Android, RmError.DENIED, "a protected VM's registers are its firmware's to know", { vmid });
  for (const vcpu of vm.objects.vcpus) {
    if (vcpu.boots) context.calls.vcpu_register_write({ vcpu: vcpu.cap, register_set: set, index, value });
  }
  vm.bootContext = {
    entry: vm.bootContext.entry || set === RegisterSet.PC,
    context: vm.bootContext.context || (set === RegisterSet.X && index === 0),
  };
}

/** Flags for vcpu_poweron to preserve the values that were set. */
export function poweronFlags({ bootContext: { entry, context } }: VmRecord): bigint {
  return (entry ? PoweronFlags.PreserveEntry : 0n) | (context ? PoweronFlags.PreserveContext : 0n);
}

function requireInit({ vmid, state }: Vm): void {
  demand(state === VmState.Init, RmError.VM_STATE, "the VM is not in the state INIT", { vmid, state });
}

/**
 * A range of the VM's addresses in whole pages, within its possible memory.
 * @throws Refusal with ARGUMENT_INVALID
 */
function rangeOf(vm: Vm, limit: number, base: bigint, size: bigint): Range {
  const pages = (base | size) % BigInt(PAGE_SIZE) === 0n && size > 0n;
  const inside = base >= BigInt(FIRST_RAM_ADDRESS) && base + size <= BigInt(limit);
  const values = { vmid: vm.vmid, base, size };
  demand(pages && inside, RmError.ARGUMENT_INVALID, "a range is not whole pages, or not where a VM has memory", values);
  return { base: asIpa(Number(base)), size: Number(size) };
}

/** The hypervisor's limit on ranges, including that of the VM's devices. */
const RANGES_MAX = 127;

/**
 * Sets the addresses below `limit` that the owner fills; VM_INIT prepares them.
 * @throws Refusal
 */
export function setPagedRanges(
  vm: Vm,
  limit: number,
  ranges: readonly { readonly base: bigint; readonly size: bigint }[],
): void {
  requireInit(vm);
  const { vmid } = vm;
  demand(ranges.length <= RANGES_MAX, RmError.NORESOURCE, `there are at most ${RANGES_MAX} ranges`, { vmid, ranges: ranges.length });
  const sorted = ranges.map(({ base, size }) => rangeOf(vm, limit, base, size)).sort((a, b) => a.base - b.base);
  const apart = sorted.every(({ base }, index) => index === 0 || sorted[index - 1].base + sorted[index - 1].size <= base);
  demand(apart, RmError.ARGUMENT_INVALID, "two ranges overlap", { vmid });
  vm.paging = { ranges: sorted, sharedExtent: undefined, caps: [] };
}

/**
 * Sets the place of the parcel with the image, or of the firmware's.
 * @throws Refusal
 */
export function setLayout(vm: Vm, limit: number, id: number, base: bigint, size: bigint): void {
  requireInit(vm);
  demand(id <= AddressRange.Firmware, RmError.ARGUMENT_INVALID, "there is no such range", { vmid: vm.vmid, range_id: id });
  vm.layout = { ...vm.layout, [id === AddressRange.Image ? "image" : "firmware"]: rangeOf(vm, limit, base, size) };
}

/** The configuration with the addresses of VM_SET_ADDRESS_LAYOUT instead of the devicetree's. */
export function placedConfig({ layout: { image, firmware } }: VmRecord, config: VmConfig): VmConfig {
  return {
    ...config,
    ...image && { baseAddress: image.base, sizeMax: image.size },
    ...firmware && { firmwareAddress: firmware.base, firmwareSizeMax: firmware.size },
  };
}

/**
 * Addresses that the owner has chosen: those that it fills, and the place of the image. Nothing of
 * the Resource Manager's goes there.
 */
export function ownerRanges({ paging, layout: { image } }: VmRecord): readonly Range[] {
  if (paging === undefined) return [];
  return image === undefined ? paging.ranges : [...paging.ranges, image];
}

/**
 * VM_INIT: accesses to missing pages come to the owner, which gets what it needs to put them there.
 * @throws Refusal, HypercallFailure
 */
export function preparePaging(context: Context, { paging, objects: { memory } }: ConfiguredVm, owner: BuiltVm, addrspace: CapId): void {
  if (paging === undefined) return;
  const { calls, resources } = context;
  for (const range of paging.ranges) {
    calls.addrspace_configure_vmmio({ addrspace, vbase: range.base, size: range.size, op: VmmioOperation.AddPrivate });
  }
  const shared = paging.sharedExtent = context.sparseExtent("memory");
  const { hlos_vm_base: base, hlos_vm_size: size } = resources;
  calls.addrspace_map({
    addrspace: owner.objects.addrspace,
    memextent: shared,
    vbase: asIpa(base),
    map_attrs: READ_WRITE,
    map_flags: PARTIAL,
    offset: base,
    size,
  });
  const give = (type: number, label: number, cap: CapId, rights: number) => {
    paging.caps.push({ type, label, cap: calls.copyCap(cap, owner.objects.cspace, rights) });
  };
  const own = owner.objects.memory;
  const mapped = MemextentRight.Map | MemextentRight.Donate;
  give(ResourceType.AddressSpace, 0, addrspace, AddrspaceRight.Map);
  give(ResourceType.MemoryExtent, ExtentLabel.GuestPrivate, memory, mapped);
  give(ResourceType.MemoryExtent, ExtentLabel.HostShared, own, MemextentRight.Donate);
  give(ResourceType.MemoryExtent, ExtentLabel.HostPrivate, own, MemextentRight.Donate);
  give(ResourceType.MemoryExtent, ExtentLabel.GuestShared, shared, mapped);
}

/**
 * VM_START: parcels of the VM alone at addresses that the owner fills become pages of the VM's
 * private extent.
 * @throws Refusal, HypercallFailure
 */
export function dissolvePagedParcels(context: Context, vm: PreparedVm): void {
  const ranges = vm.paging?.ranges ?? [];
  const inside = (base: number, size: number) => ranges.some((range) => base >= range.base && base + size <= range.base + range.size);
  for (const handle of [...vm.accepted]) {
    const parcel = parcelOf(context, handle);
    const borrower = knownBorrower(parcel, vm.vmid);
    const paged = parcel.transType === TransType.Lend && parcel.borrowers.length === 1 && borrower.mapped &&
      parcel.regions.every(({ size }, index) => inside(borrower.ipas[index], size));
    if (paged) dissolveParcel(context, vm, parcel);
  }
}

/** The private pages of a protected VM that has ended come back empty. */
export function emptyPages(context: Context, vm: Vm): void {
  if (vm.paging === undefined || vm.authType !== AuthType.Android) return;
  const { memory } = context.objectsOf(vm.vmid);
  context.undo.memextent_modify({ memextent: memory, flags: ZERO, offset: asPa(0), size: EXTENT_SIZE });
}

/** Removes the owner's capabilities and the shared extent. */
export function dropPaging(context: Context, vm: VmRecord): void {
  const cspace = context.vm(vm.owner)?.objects?.cspace;
  for (const { cap } of vm.paging?.caps ?? []) if (cspace !== undefined) context.remove(cap, cspace);
  if (vm.paging?.sharedExtent !== undefined) context.remove(vm.paging.sharedExtent);
  vm.paging = undefined;
}

/** Capabilities of the owner for VM_GET_HYP_RESOURCES. */
export function pagingCaps(caller: Vm, vm: Vm): readonly OwnerCap[] {
  return caller.vmid === vm.owner ? vm.paging?.caps ?? [] : [];
}
