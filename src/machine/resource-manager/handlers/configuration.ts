// Requests that configure a VM: image, authentication, initialization
// (docs/spec/resource-manager.md §3.8).

import { RmError } from "../../abi/rpc/errors.ts";
import { VM_SET_ADDRESS_LAYOUT, VM_SET_BOOT_CONTEXT, VM_SET_DEMAND_PAGING } from "../../abi/rpc/messages/configuration.ts";
import { VM_AUTH_IMAGE, VM_CONFIG_IMAGE, VM_INIT } from "../../abi/rpc/messages/configuration.ts";
import { AUTH_NAMES, AuthType, VmState } from "../../abi/rpc/messages/vm.ts";
import type { Context } from "../state/context.ts";
import { setBootRegister, setLayout, setPagedRanges } from "../memory/demand-paging.ts";
import { parcelSize } from "../memory/memparcels.ts";
import { asRefusal, demand } from "../calls/refusals.ts";
import { createFirstObjects, createObjects } from "../vm/secondary-vm.ts";
import type { Vm, VmRecord } from "../state/state.ts";
import { enterState } from "../rpc/status.ts";
import { handle, type Handler, onlyHlos, owned } from "./handler.ts";
import { numberedId } from "../../abi/ids.ts";

/** Runs a step that leaves the VM in `next`, or in INIT_FAILED, with the error rethrown. */
function step(context: Context, vm: VmRecord, next: () => VmState): void {
  let state: VmState;
  try {
    state = next();
  } catch (failure) {
    const refusal = asRefusal(failure);
    enterState(context, vm, VmState.InitFailed);
    throw refusal;
  }
  enterState(context, vm, state);
}

const configImage = handle(VM_CONFIG_IMAGE, (context, caller, request) => {
  const vm = owned(context, caller, request.vmid, RmError.VMID_INVALID, RmError.DENIED);
  const fresh = vm.state === VmState.Load || vm.state === VmState.Reset;
  demand(fresh, RmError.VM_STATE, "the VM is not in the state LOAD or RESET", { vmid: vm.vmid, state: vm.state });
  step(context, vm, () => {
    const { handle, image_offset, image_size, dt_offset, dt_size, auth_type } = request;
    const parcel = context.state.parcels.find((each) => each.handle === handle && each.acl.some(({ vmid }) => vmid === vm.vmid));
    demand(parcel !== undefined, RmError.MEM_INVALID, "no parcel of this handle is for the VM", { handle });
    const size = BigInt(parcelSize(parcel));
    const inside = (offset: bigint, length: bigint) => offset <= size && length <= size - offset;
    const fits = inside(image_offset, image_size) && inside(dt_offset, dt_size);
    demand(fits, RmError.ARGUMENT_INVALID, "image or devicetree lie outside the parcel", { size });
    vm.objects = createFirstObjects(context);
    demand(auth_type <= AuthType.Android, RmError.ARGUMENT_INVALID, "there is no such type of authentication", { auth_type });
    vm.authType = auth_type;
    vm.image = {
      handle,
      imageOffset: Number(image_offset),
      imageSize: Number(image_size),
      dtOffset: Number(dt_offset),
      dtSize: Number(dt_size),
    };
    return auth_type === AuthType.Platform ? VmState.Auth : VmState.Init;
  });
}, onlyHlos);

const authImage = handle(VM_AUTH_IMAGE, (context, caller, { vmid }) => {
  const vm = owned(context, caller, vmid, RmError.VMID_INVALID, RmError.DENIED);
  demand(vm.state === VmState.Auth, RmError.VM_STATE, "the VM is not in the state AUTH", { vmid, state: vm.state });
  // The open platform accepts every image, and trusts none.
  step(context, vm, () => VmState.Init);
}, onlyHlos);

const init = handle(VM_INIT, (context, caller, { vmid }) => {
  const vm = owned(context, caller, vmid, RmError.VMID_INVALID, RmError.DENIED);
  demand(vm.state === VmState.Init, RmError.VM_STATE, "the VM is not in the state INIT", { vmid, state: vm.state });
  step(context, vm, () => {
    requireAccepted(context, vm);
    createObjects(context, vm);
    return VmState.Ready;
  });
}, onlyHlos);

/**
 * Checks that the platform takes VMs of this type: a phone that does not refuses here, not in
 * VM_CONFIG_IMAGE (docs/spec/vm-manager.md §15).
 */
function requireAccepted({ auth: accepted }: Context, { authType, vmid }: VmRecord): void {
  const auth = AUTH_NAMES[authType];
  const values = { auth, accepted: accepted.join(" ") };
  const wayOut = `make it a VM of type ${accepted.join(" or ")}, or add "${auth}" to [rm] auth of the configuration`;
  const about = { object: numberedId("vm", vmid), wayOut };
  demand(accepted.includes(auth), RmError.MEM_INVALID, "the platform takes no VM of this type of authentication", values, about);
}

/** A VM that the caller owns, for the requests of §3.15. */
const ownVm = (context: Context, caller: Vm, vmid: number) => owned(context, caller, vmid, RmError.VMID_INVALID, RmError.DENIED);

export const configurationHandlers: readonly Handler[] = [
  configImage,
  authImage,
  init,
  handle(VM_SET_BOOT_CONTEXT, (context, caller, { vmid, register_set, register_index, value }) => {
    setBootRegister(context, ownVm(context, caller, vmid), register_set, register_index, value);
  }),
  handle(
    VM_SET_DEMAND_PAGING,
    (context, caller, { vmid, ranges }) => setPagedRanges(ownVm(context, caller, vmid), context.addressLimit, ranges),
  ),
  handle(VM_SET_ADDRESS_LAYOUT, (context, caller, { vmid, range_id, base, size }) => {
    setLayout(ownVm(context, caller, vmid), context.addressLimit, range_id, base, size);
  }),
];
