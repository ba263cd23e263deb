// Firmware of protected VMs: the image that the Resource Manager is given once, and its place in
// each VM that starts with it (docs/spec/resource-manager.md §3.12, §4.6). Such a VM's first
// instruction is the firmware's, never its owner's.

import { asIpa } from "../../abi/numbers.ts";
import { RmError } from "../../abi/rpc/errors.ts";
import { AcceptFlags, MemType, TransType } from "../../abi/rpc/messages/memory.ts";
import { AuthType, Vmid } from "../../abi/rpc/messages/vm.ts";
import { Access, RegisterSet } from "../../abi/words.ts";
import type { Context } from "../state/context.ts";
import { acceptParcel } from "../memory/accept-parcel.ts";
import { borrowerOf, parcelOf, parcelSize } from "../memory/memparcels.ts";
import { withParcel } from "../memory/parcel-window.ts";
import { demand } from "../calls/refusals.ts";
import type { FirmwarePlace, Parcel, PreparedVm, RmState, Vm, VmVcpu } from "../state/state.ts";
import { PAGE_SIZE } from "../../../kit/support/values/sizes.ts";

/**
 * Takes the firmware image: memory that is donated to the Resource Manager for good.
 * @throws Refusal
 */
export function setFirmware(context: Context, request: { auth_type: number; handle: number; offset: bigint; size: bigint }): void {
  const invalid = (condition: boolean, rule: string) => demand(condition, RmError.ARGUMENT_INVALID, rule, { ...request });
  invalid(request.auth_type === AuthType.Android, "only Android's protected VMs have firmware");
  demand(context.state.firmware === undefined, RmError.BUSY, "there is a firmware image already", { ...context.state.firmware });
  const parcel = context.state.parcels.find(({ handle }) => handle === request.handle);
  const borrower = parcel && borrowerOf(parcel, Vmid.ResourceManager);
  demand(parcel !== undefined && borrower !== undefined, RmError.HANDLE_INVALID, "no parcel of this handle is for the Resource Manager", {
    handle: request.handle,
  });
  const size = parcelSize(parcel);
  const whole = request.offset === 0n && request.size > 0n && request.size <= BigInt(size);
  invalid(whole, "the image does not begin with the parcel or is not in it");
  invalid(parcel.memType !== MemType.Io && parcel.transType === TransType.Donate, "the image is not donated memory");
  const own = context.known(Vmid.ResourceManager);
  const [{ address }] = acceptParcel(context, own, parcel, { sgl: [], flags: AcceptFlags.MapContiguous | AcceptFlags.Done });
  context.state.firmware = { ipa: asIpa(Number(address)), size };
}

/**
 * Sets the place of a VM's firmware in its parcels.
 * @throws Refusal
 */
export function setFirmwareMemory(
  context: Context,
  vm: Vm,
  { handle, offset, size }: { handle: number; offset: bigint; size: bigint },
): void {
  demand(vm.authType === AuthType.Android, RmError.ARGUMENT_INVALID, "only Android's protected VMs have firmware", { vmid: vm.vmid });
  demand(context.state.firmware !== undefined, RmError.DENIED, "no firmware image is loaded", { vmid: vm.vmid });
  const parcel = context.state.parcels.find((each) => each.handle === handle && borrowerOf(each, vm.vmid) !== undefined);
  demand(parcel !== undefined, RmError.MEM_INVALID, "no parcel of this handle is for the VM", { handle });
  const total = BigInt(parcelSize(parcel));
  const aligned = (offset | size) % BigInt(PAGE_SIZE) === 0n;
  const inside = size > 0n && offset <= total && size <= total - offset;
  demand(aligned && inside, RmError.ARGUMENT_INVALID, "the region is not page aligned or not in the parcel", { offset, size });
  vm.firmware = { handle, offset: Number(offset), size: Number(size), ipa: asIpa(0) };
}

/** The firmware's image, and its place in a VM that starts. */
interface StartFirmware {
  readonly image: NonNullable<RmState["firmware"]>;
  readonly place: FirmwarePlace;
}

/**
 * The firmware of a protected VM that starts.
 * @throws Refusal if a requirement for that is not met
 */
export function requireFirmware(context: Context, vm: PreparedVm): StartFirmware {
  const image = context.state.firmware;
  demand(context.state.firmwareLocked, RmError.DENIED, "protected VMs start after the firmware milestone");
  demand(image !== undefined && vm.firmware !== undefined, RmError.NORESOURCE, "there is no firmware image, or no place for it");
  demand(image.size <= vm.firmware.size, RmError.MEM_INVALID, "the firmware image is larger than its place", { size: image.size });
  const boots = vm.objects.vcpus.filter((vcpu) => vcpu.boots).length;
  demand(boots === 1, RmError.DENIED, "a protected VM has exactly one boot vCPU", { boots });
  return { image, place: vm.firmware };
}

/**
 * Accepts the parcel of the firmware, if it is not the image's, and finds the firmware's address.
 * @throws Refusal
 */
export function placeFirmware(context: Context, vm: PreparedVm, place: FirmwarePlace, imageParcel: Parcel): void {
  const { firmwareAddress, firmwareSizeMax, baseAddress } = vm.config;
  demand(place.size <= firmwareSizeMax, RmError.MEM_INVALID, "the firmware's place is larger than firmware-size-max");
  if (place.handle === imageParcel.handle) {
    const same = firmwareAddress === undefined || firmwareAddress === baseAddress;
    demand(same, RmError.MEM_INVALID, "firmware in the image parcel has another address than the image");
    place.ipa = asIpa(baseAddress + place.offset);
    return;
  }
  demand(firmwareAddress !== undefined, RmError.MEM_INVALID, "a separate firmware parcel needs firmware-address");
  const parcel = context.state.parcels.find(({ handle }) => handle === place.handle);
  const borrower = parcel && borrowerOf(parcel, vm.vmid);
  const exclusive = parcel?.transType === TransType.Lend && parcel.acl.length === 1 && borrower?.rights === Access.RWX;
  demand(parcel !== undefined && exclusive, RmError.MEM_INVALID, "the firmware parcel is not lent to the VM alone with all rights");
  acceptParcel(context, vm, parcel, {
    sgl: [{ address: BigInt(firmwareAddress), size: BigInt(parcelSize(parcel)) }],
    flags: AcceptFlags.MapContiguous | AcceptFlags.Done | AcceptFlags.Sanitize,
  });
  place.ipa = asIpa(firmwareAddress + place.offset);
}

/**
 * Copies the firmware to its place and zeroes the rest of it.
 * @throws Refusal
 */
export function loadFirmware(context: Context, { image, place }: StartFirmware): void {
  const parcel = parcelOf(context, place.handle);
  const { vcpu } = context.calls;
  const bytes = vcpu.read(image.ipa, image.size);
  demand(bytes !== undefined, RmError.MEM_INVALID, "the firmware image is not readable");
  const loaded = withParcel(context, parcel, place.offset, place.size, (ipa) => {
    return vcpu.write(ipa, bytes) && vcpu.write(ipa + bytes.length, new Uint8Array(place.size - bytes.length));
  });
  demand(loaded, RmError.MEM_INVALID, "the firmware's place is not writable");
}

/** X1 and X2 of the boot vCPU: address and size of the image that the firmware checks. */
export function passImage(context: Context, { config, image }: PreparedVm, vcpu: VmVcpu): void {
  context.calls.vcpu_register_write({
    vcpu: vcpu.cap,
    register_set: RegisterSet.X,
    index: 1,
    value: config.baseAddress + image.imageOffset,
  });
  context.calls.vcpu_register_write({ vcpu: vcpu.cap, register_set: RegisterSet.X, index: 2, value: image.imageSize });
}
