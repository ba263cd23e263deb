// VM_START: the VM's parcels are accepted for it, its devicetree is completed, its boot vCPUs are powered on
// (spec/resource-manager.md §5.3, §7.4, §8.3).

import { RmError } from "../abi/rpc/errors.ts";
import { AcceptFlags, MemAttribute, MemType, TransType } from "../abi/rpc/messages/memory.ts";
import { AuthType, VmState } from "../abi/rpc/messages/vm.ts";
import { Access, ModifyFlags, ModifyOperation } from "../abi/words.ts";
import { writeDevicetree } from "../devicetree/writer.ts";
import type { Context } from "./context.ts";
import { extendGuestDevicetree, mergeRanges, type PlacedParcel } from "./guest-devicetree.ts";
import { loadFirmware, passImage, placeFirmware, requireFirmware } from "./firmware.ts";
import { acceptParcel, borrowerOf, parcelOf, parcelSize } from "./memparcels.ts";
import { withParcel } from "./parcel-window.ts";
import { asRefusal, Refusal, require } from "./refusals.ts";
import { readVmDevicetree } from "./secondary-vm.ts";
import type { Parcel, Vm } from "./state.ts";
import { enterState } from "./status.ts";

const FLUSH = (ModifyOperation.CacheFlushRange | ModifyFlags.NoSync) >>> 0;

/** Starts a VM that is READY. @throws Refusal; the VM is INIT_FAILED then */
export function startVm(context: Context, vm: Vm): void {
  try {
    prepareAndPowerOn(context, vm);
  } catch (failure) {
    const refusal = asRefusal(failure);
    enterState(context, vm, VmState.InitFailed);
    throw refusal;
  }
  enterState(context, vm, VmState.Running);
}

function prepareAndPowerOn(context: Context, vm: Vm): void {
  if (vm.authType === AuthType.Android) requireFirmware(context, vm);
  const image = vm.image!;
  const config = vm.config!;
  let imageParcel: Parcel;
  try {
    imageParcel = parcelOf(context, image.handle);
    acceptImage(context, vm, imageParcel);
    if (vm.firmware !== undefined) placeFirmware(context, vm, imageParcel);
    for (const parcel of [...context.state.parcels]) {
      if (parcel !== imageParcel) acceptOther(context, vm, parcel);
    }
    completeDevicetree(context, vm, imageParcel);
    if (vm.firmware !== undefined) loadFirmware(context, vm);
  } catch (failure) {
    // Whatever is wrong with memory or tree, VM_START has one answer; the reason keeps what it was.
    const { rule, values, error } = asRefusal(failure);
    throw new Refusal(RmError.NORESOURCE, rule, { ...values, error });
  }
  if (vm.authType !== AuthType.Platform) {
    for (const { offset, size } of imageParcel.regions) context.calls.do("memextent_modify", imageParcel.extent, FLUSH, offset, size);
  }
  const boots = vm.objects!.vcpus.filter((vcpu) => vcpu.boots);
  require(boots.length > 0, RmError.NORESOURCE, "the VM has no boot vCPU");
  for (const vcpu of boots) {
    if (vm.firmware !== undefined) passImage(context, vm, vcpu);
    const entry = vm.firmware?.ipa ?? config.baseAddress + image.imageOffset;
    context.calls.do("vcpu_poweron", vcpu.cap, entry, config.baseAddress + image.dtOffset, 0);
  }
}

/** The parcel that holds image and devicetree lies at the configuration's base address, in one piece. */
function acceptImage(context: Context, vm: Vm, parcel: Parcel): void {
  const borrower = borrowerOf(parcel, vm.vmid);
  const whole = borrower?.rights === Access.RWX && borrower.attribute === MemAttribute.Normal && parcel.memType !== MemType.Io;
  // A shared image is what the debug quality of the real Resource Manager accepts, and what Linux's drivers give.
  require(whole && parcel.transType !== TransType.Donate, RmError.MEM_INVALID, "the image parcel does not give the VM all rights");
  const size = parcelSize(parcel);
  const { baseAddress, sizeMax } = vm.config!;
  require(size <= sizeMax, RmError.MEM_INVALID, "the image parcel is larger than size-max", { size, sizeMax });
  acceptParcel(context, vm, parcel, {
    sgl: [{ address: BigInt(baseAddress), size: BigInt(size) }],
    flags: AcceptFlags.MapContiguous | AcceptFlags.Done | sanitized(vm),
  });
  vm.memorySize = size;
}

/** Memory of a VM that somebody vouched for goes back empty. */
function sanitized(vm: Vm): number {
  return vm.authType === AuthType.None ? 0 : AcceptFlags.Sanitize;
}

/** Any other parcel for the VM: a buffer of a shm vdevice at its base, private memory behind the image, the rest anywhere. */
function acceptOther(context: Context, vm: Vm, parcel: Parcel): void {
  const borrower = borrowerOf(parcel, vm.vmid);
  if (borrower === undefined || borrower.accepted || parcel.open) return;
  if (acceptForVdevice(context, vm, parcel)) return;
  if (isPrivate(vm, parcel)) acceptPrivate(context, vm, parcel);
  else acceptAnywhere(context, vm, parcel);
}

/** Accepts a parcel that a shm vdevice with a base of its own waits for. False when none does. @throws Refusal */
export function acceptForVdevice(context: Context, vm: Vm, parcel: Parcel): boolean {
  const base = vm.config!.vdevices.find(({ type, memory }) => type === "shm" && memory?.label === parcel.label)?.memory?.base;
  if (base === undefined) return false;
  const size = BigInt(parcelSize(parcel));
  acceptParcel(context, vm, parcel, { sgl: [{ address: BigInt(base), size }], flags: AcceptFlags.MapContiguous | AcceptFlags.Done });
  return true;
}

function isPrivate(vm: Vm, parcel: Parcel): boolean {
  const [entry] = parcel.borrowers;
  return parcel.memType !== MemType.Io && parcel.label === 0 && parcel.acl.length === 1 && parcel.transType === TransType.Lend &&
    entry.vmid === vm.vmid && entry.rights === Access.RWX && entry.attribute === MemAttribute.Normal;
}

function acceptPrivate(context: Context, vm: Vm, parcel: Parcel): void {
  const size = parcelSize(parcel);
  const { baseAddress, sizeMax } = vm.config!;
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

/** More regions than a request may place are placed by several. */
function acceptAnywhere(context: Context, vm: Vm, parcel: Parcel): void {
  const borrower = borrowerOf(parcel, vm.vmid)!;
  do {
    const last = parcel.regions.length - borrower.ipas.length <= 512;
    acceptParcel(context, vm, parcel, { sgl: [], flags: last ? AcceptFlags.Done : 0 });
  } while (!borrower.mapped);
}

/** Completes the tree and puts it back where it was. */
function completeDevicetree(context: Context, vm: Vm, imageParcel: Parcel): void {
  const tree = readVmDevicetree(context, vm);
  const image = vm.image!;
  extendGuestDevicetree(tree.root, { vm, owner: vm.owner, kaslrSeed: context.random(), parcels: placedParcels(context, vm, imageParcel) });
  const bytes = writeDevicetree(tree);
  require(bytes.length <= image.dtSize, RmError.NORESOURCE, "the completed devicetree does not fit", {
    size: bytes.length,
    room: image.dtSize,
  });
  const written = withParcel(context, imageParcel, image.dtOffset, bytes.length, (ipa) => context.calls.vcpu.write(ipa, bytes));
  require(written, RmError.NORESOURCE, "the devicetree is not writable");
}

function placedParcels(context: Context, vm: Vm, imageParcel: Parcel): PlacedParcel[] {
  const placed: PlacedParcel[] = [];
  for (const parcel of context.state.parcels) {
    const borrower = borrowerOf(parcel, vm.vmid);
    if (borrower === undefined || !borrower.mapped) continue;
    const ranges = mergeRanges(parcel.regions.map(({ size }, index) => ({ base: borrower.ipas[index], size })));
    const kind = parcel === imageParcel || isPrivate(vm, parcel) ? "private" : "shared";
    placed.push({ parcel, ranges, kind: parcel !== imageParcel && parcel.handle === vm.firmware?.handle ? "firmware" : kind });
  }
  return placed;
}
