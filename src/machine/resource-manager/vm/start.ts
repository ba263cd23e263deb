// VM_START: the VM's parcels are accepted for it (`start-parcels.ts`), its devicetree is completed,
// its boot vCPUs are powered on (docs/spec/resource-manager.md §5.3, §7.4, §8.3).

import { asIpa } from "../../abi/numbers.ts";
import { RmError, rmErrorName } from "../../abi/rpc/errors.ts";
import { MemType } from "../../abi/rpc/messages/memory.ts";
import { AuthType, VmState } from "../../abi/rpc/messages/vm.ts";
import { ModifyFlags, ModifyOperation } from "../../abi/words.ts";
import { writeDevicetree } from "../../devicetree/writer.ts";
import type { Context } from "../state/context.ts";
import { dissolvePagedParcels, poweronFlags } from "../memory/demand-paging.ts";
import { extendGuestDevicetree, mergeRanges } from "./guest-devicetree.ts";
import { loadFirmware, passImage, placeFirmware, requireFirmware } from "./firmware.ts";
import { borrowerOf, parcelOf } from "../memory/memparcels.ts";
import { asRefusal, demand, Refusal } from "../calls/refusals.ts";
import { withVmDevicetree } from "./secondary-vm.ts";
import { acceptImage, acceptOthers, iomemOf, isPrivate } from "../memory/start-parcels.ts";
import type { Parcel, PlacedParcel, PreparedVm } from "../state/state.ts";
import { enterState } from "../rpc/status.ts";
import { numberedId } from "../../abi/ids.ts";

const FLUSH = (ModifyOperation.CacheFlushRange | ModifyFlags.NoSync) >>> 0;

/**
 * Starts a VM that is READY.
 * @throws Refusal; the VM is INIT_FAILED then
 */
export function startVm(context: Context, vm: PreparedVm): void {
  try {
    prepareAndPowerOn(context, vm);
  } catch (failure) {
    const refusal = asRefusal(failure);
    enterState(context, vm, VmState.InitFailed);
    throw refusal;
  }
  enterState(context, vm, VmState.Running);
}

function prepareAndPowerOn(context: Context, vm: PreparedVm): void {
  const firmware = vm.authType === AuthType.Android ? requireFirmware(context, vm) : undefined;
  const { image, config } = vm;
  let imageParcel: Parcel;
  try {
    imageParcel = parcelOf(context, image.handle);
    acceptImage(context, vm, imageParcel);
    if (firmware !== undefined) placeFirmware(context, vm, firmware.place, imageParcel);
    acceptOthers(context, vm);
    completeDevicetree(context, vm, imageParcel);
    if (firmware !== undefined) loadFirmware(context, firmware);
  } catch (failure) {
    // VM_START has one error for all defects of memory and tree; the reason keeps the original.
    const { rule, values, error, about } = asRefusal(failure);
    const object = numberedId("vm", vm.vmid);
    throw new Refusal(RmError.NORESOURCE, rule, { ...values, error: rmErrorName(error) }, { section: "5.3", object, ...about });
  }
  if (vm.authType !== AuthType.Platform) {
    for (const { offset, size } of imageParcel.regions) {
      context.calls.memextent_modify({ memextent: imageParcel.extent, flags: FLUSH, offset, size });
    }
  }
  const boots = vm.objects.vcpus.filter((vcpu) => vcpu.boots);
  demand(boots.length > 0, RmError.NORESOURCE, "the VM has no boot vCPU");
  for (const vcpu of boots) {
    if (firmware !== undefined) passImage(context, vm, vcpu);
    const entry = firmware?.place.ipa ?? asIpa(config.baseAddress + image.imageOffset);
    context.calls.vcpu_poweron({
      cap: vcpu.cap,
      entry_point: entry,
      context: config.baseAddress + image.dtOffset,
      flags: poweronFlags(vm),
    });
  }
  dissolvePagedParcels(context, vm);
}

/** Completes the tree and puts it back where it was. */
function completeDevicetree(context: Context, vm: PreparedVm, imageParcel: Parcel): void {
  withVmDevicetree(context, vm, "7.4", (tree, ipa, room) => {
    extendGuestDevicetree(tree.root, {
      vm,
      owner: vm.owner,
      kaslrSeed: context.random(),
      parcels: placedParcels(context, vm, imageParcel),
      mustMatch: context.rules.reservedMemory === "must-match",
      compares: context.rules.reservedMemory !== "never",
    });
    const bytes = writeDevicetree(tree);
    demand(bytes.length <= room, RmError.NORESOURCE, "the completed devicetree does not fit", { size: bytes.length, room });
    demand(context.calls.vcpu.write(ipa, bytes), RmError.NORESOURCE, "the devicetree is not writable");
  });
}

function placedParcels(context: Context, vm: PreparedVm, imageParcel: Parcel): PlacedParcel[] {
  const placed: PlacedParcel[] = [];
  for (const parcel of context.state.parcels) {
    const borrower = borrowerOf(parcel, vm.vmid);
    if (borrower === undefined || !borrower.mapped) continue;
    const ranges = mergeRanges(parcel.regions.map(({ size }, index) => ({ base: borrower.ipas[index], size })));
    const buffer = parcel.memType === MemType.Io && iomemOf(vm, parcel) !== undefined ? "iomem" : "shared";
    const kind = parcel === imageParcel || isPrivate(vm, parcel) ? "private" : buffer;
    placed.push({ parcel, ranges, kind: parcel !== imageParcel && parcel.handle === vm.firmware?.handle ? "firmware" : kind });
  }
  return placed;
}
