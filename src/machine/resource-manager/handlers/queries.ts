// Requests about identity and state of VMs (docs/spec/resource-manager.md §3.9).

import { RmError } from "../../abi/rpc/errors.ts";
import {
  HOST_TYPE,
  IdType,
  VM_GET_CRASH_MSG,
  VM_GET_ID,
  VM_GET_OWNER,
  VM_GET_PEERS,
  VM_GET_STATE,
  VM_GET_VMID,
  VM_HOST_GET_TYPE,
  VM_LOOKUP_GUID,
  VM_LOOKUP_NAME,
  VM_LOOKUP_URI,
  VM_SET_CRASH_MSG,
  VM_SET_STATUS,
} from "../../abi/rpc/messages/queries.ts";
import { Vmid, VmState } from "../../abi/rpc/messages/vm.ts";
import type { RpcMessage } from "../../abi/rpc/packet.ts";
import type { Context } from "../state/context.ts";
import { demand } from "../calls/refusals.ts";
import { isPlatformVmid, type Vm } from "../state/state.ts";
import { notifyStatus } from "../rpc/status.ts";
import { handle, type Handler, mayQuery, owned, visible } from "./handler.ts";

/** Greatest length of a name and a URI in a request, bytes. */
const TEXT_MAX = 79;
const CRASH_MESSAGE_MAX = 192;
const OS_STATUS_MAX = 7;
/** The open platform's text for the signer of an image. */
const SIGN_AUTHORITY = "N/A";

const utf8 = new TextEncoder();

/** States in which a VM has an identity. */
const IDENTIFIED: readonly VmState[] = [VmState.Ready, VmState.Running, VmState.Paused];

const getId = handle(VM_GET_ID, (context, caller, { vmid }) => {
  demand(vmid !== Vmid.ResourceManager, RmError.VM_STATE, "the Resource Manager has no identity", { vmid });
  const vm = vmid === 0 ? caller : context.vm(vmid);
  demand(vm !== undefined, RmError.NORESOURCE, "there is no VM of this id", { vmid });
  demand(IDENTIFIED.includes(vm.state), RmError.VM_STATE, "the VM has no identity in this state", { vmid, state: vm.state });
  demand(mayQuery(caller, vm), RmError.NORESOURCE, "the caller is neither the VM nor its owner nor a peer", { vmid });
  const text = (type: number, data: string) => ({ type, data: utf8.encode(data) });
  const uri = vm.uri === "" ? [] : [text(IdType.Uri, vm.uri)];
  const entries = [{ type: IdType.Guid, data: vm.guid }, text(IdType.Name, vm.name), ...uri, text(IdType.SignAuth, SIGN_AUTHORITY)];
  return { entries };
});

/** An empty request is refused before its length is checked. */
function notEmpty(_context: Context, _caller: Vm, { payload }: RpcMessage): void {
  demand(payload.length > 0, RmError.ARGUMENT_INVALID, "the request says nothing to look for");
}

/** The length of the text is checked before its padding. */
function shortText(context: Context, caller: Vm, request: RpcMessage): void {
  notEmpty(context, caller, request);
  const { payload } = request;
  const length = payload.length < 4 ? 0 : payload[0] | payload[1] << 8;
  demand(length <= TEXT_MAX, RmError.ARGUMENT_INVALID, `the text is longer than ${TEXT_MAX}`, { length });
}

/** The VMs that match and that the caller may ask about. */
function matching(context: Context, caller: Vm, matches: (vm: Vm) => boolean) {
  const vms = context.state.vms.filter((vm) => mayQuery(caller, vm) && matches(vm));
  return { vms: vms.map(({ vmid }) => ({ vmid })) };
}

function lookupText(message: typeof VM_LOOKUP_NAME | typeof VM_LOOKUP_URI, of: (vm: Vm) => string): Handler {
  return handle(message, (context, caller, { text }) => {
    const wanted = new TextDecoder().decode(text);
    return matching(context, caller, (vm) => of(vm) === wanted);
  }, shortText);
}

const lookupGuid = handle(VM_LOOKUP_GUID, (context, caller, { guid }) => {
  return matching(context, caller, (vm) => vm.guid.every((byte, index) => byte === guid[index]));
}, notEmpty);

const setStatus = handle(VM_SET_STATUS, (context, caller, { os_status, app_status }) => {
  demand(os_status <= OS_STATUS_MAX, RmError.ARGUMENT_INVALID, "there is no such OS status", { os_status });
  if (os_status !== 0) caller.osState = os_status;
  caller.appStatus = app_status;
  notifyStatus(context, caller);
}, (_context, caller) => {
  demand(isPlatformVmid(caller.vmid), RmError.DENIED, "only VMs with a platform VMID report their status", { caller: caller.vmid });
});

export const queryHandlers: readonly Handler[] = [
  getId,
  lookupText(VM_LOOKUP_URI, (vm) => vm.uri),
  lookupGuid,
  lookupText(VM_LOOKUP_NAME, (vm) => vm.name),
  handle(VM_GET_OWNER, (_context, caller) => ({ vmid: caller.owner })),
  handle(VM_GET_STATE, (context, caller, { vmid }) => {
    const vm = visible(context, caller, vmid, RmError.NORESOURCE, RmError.DENIED);
    return { vm_state: vm.state, os_state: vm.osState, app_status: vm.appStatus };
  }),
  handle(VM_GET_CRASH_MSG, (context, caller, { vmid }) => {
    const vm = owned(context, caller, vmid, RmError.VMID_INVALID, RmError.VMID_INVALID);
    return { text: vm.crashMessage ?? new Uint8Array(0) };
  }),
  handle(VM_GET_VMID, (_context, caller) => ({ vmid: caller.vmid })),
  handle(VM_GET_PEERS, (_context, caller) => ({ peers: caller.peers.map((vmid) => ({ vmid })) })),
  setStatus,
  handle(VM_SET_CRASH_MSG, (_context, caller, { text }) => {
    caller.crashMessage = text.slice(0, CRASH_MESSAGE_MAX);
  }),
  handle(VM_HOST_GET_TYPE, () => ({ type: HOST_TYPE })),
];
