// Requests that allocate, start, stop, reset and free VMs (docs/spec/resource-manager.md §3.7).

import { asVmid } from "../../abi/numbers.ts";
import { RmError } from "../../abi/rpc/errors.ts";
import {
  StopFlags,
  VM_ALLOCATE,
  VM_DEALLOCATE,
  VM_EXIT,
  VM_RESET,
  VM_SHUTDOWN,
  VM_START,
  VM_STOP,
} from "../../abi/rpc/messages/lifecycle.ts";
import { ExitCode, ExitType, Vmid, VmState } from "../../abi/rpc/messages/vm.ts";
import type { RpcMessage } from "../../abi/rpc/packet.ts";
import type { Context } from "../state/context.ts";
import { borrowerOf } from "../memory/memparcels.ts";
import { beginExit, exitReason, isEnded } from "../vm/exit.ts";
import { notify } from "../rpc/link.ts";
import { demand } from "../calls/refusals.ts";
import { beginReset } from "../vm/reset.ts";
import { startVm } from "../vm/start.ts";
import { isPlatformVmid, newVm, type Vm } from "../state/state.ts";
import { befriend, unfriend } from "../rpc/status.ts";
import { handle, type Handler, LATER, onlyHlos, owned } from "./handler.ts";

/** VMIDs that the Resource Manager chooses. */
export const DYNAMIC_VMIDS = { first: 0x80, last: 0xbe } as const;

const allocate = handle(VM_ALLOCATE, (context, caller, { vmid: wanted }) => {
  const vmid = wanted === 0 ? lowestFreeVmid(context) : asVmid(wanted);
  const free = vmid !== undefined && (wanted === 0 || isPlatformVmid(vmid)) && context.vm(vmid) === undefined;
  demand(free, RmError.NORESOURCE, "the VMID is not available", { wanted });
  const vm = newVm(vmid, caller.vmid);
  context.state.vms.push(vm);
  befriend(vm, caller);
  return wanted === 0 ? { vmid } : undefined;
}, onlyHlos);

function lowestFreeVmid(context: Context): Vmid | undefined {
  for (let vmid: number = DYNAMIC_VMIDS.first; vmid <= DYNAMIC_VMIDS.last; vmid++) {
    if (context.vm(vmid) === undefined) return asVmid(vmid);
  }
  return undefined;
}

const deallocate = handle(VM_DEALLOCATE, (context, caller, { vmid }) => {
  const vm = owned(context, caller, vmid, RmError.VMID_INVALID, RmError.DENIED);
  const idle = vm.state === VmState.Load || vm.state === VmState.Reset;
  demand(idle, RmError.VM_STATE, "the VM is not in the state LOAD or RESET", { vmid, state: vm.state });
  unfriend(context, vm);
  for (const parcel of context.state.parcels) {
    const borrower = borrowerOf(parcel, vm.vmid);
    if (borrower) borrower.gone = true;
  }
  context.state.vms.splice(context.state.vms.indexOf(vm), 1);
});

const start = handle(VM_START, (context, caller, { vmid }) => {
  const vm = owned(context, caller, vmid, RmError.VMID_INVALID, RmError.DENIED);
  demand(vm.state === VmState.Ready, RmError.VM_STATE, "the VM is not in the state READY", { vmid, state: vm.state });
  startVm(context, vm);
});

const stop = handle(VM_STOP, (context, caller, { vmid, flags, reason }, request) => {
  const vm = owned(context, caller, vmid, RmError.VMID_INVALID, RmError.VMID_INVALID);
  const runs = vm.state === VmState.Running || vm.state === VmState.Paused;
  demand(runs, RmError.VM_STATE, "the VM is not in the state RUNNING", { vmid, state: vm.state });
  demand(vm.config?.noShutdown !== true, RmError.VM_STATE, "the VM's configuration forbids shutting it down", { vmid });
  if (flags & StopFlags.Force) {
    const exited = { type: ExitType.VmStopForced, reason: exitReason(0, ExitCode.Normal) };
    beginExit(context, { vmid: vm.vmid, exited, request: origin(caller, request) });
    return LATER;
  }
  demand(vm.link !== undefined, RmError.NORESOURCE, "the VM has no RPC link to notify it", { vmid });
  notify(context, vm, VM_SHUTDOWN, { reason });
});

/**
 * AUTH, INIT, and INIT_FAILED of a VM without objects are el2's own: a VM whose configuration is
 * not finished, or was refused, could never be given back (docs/differences.md).
 */
const resettable: readonly VmState[] = [VmState.Exited, VmState.Ready, VmState.InitFailed, VmState.Auth, VmState.Init];

const reset = handle(VM_RESET, (context, caller, { vmid }, request) => {
  const vm = owned(context, caller, vmid, RmError.VMID_INVALID, RmError.VMID_INVALID);
  demand(vm.config?.noReset !== true, RmError.DENIED, "the VM's configuration forbids to reset it", { vmid });
  demand(resettable.includes(vm.state), RmError.VM_STATE, "the VM is not in the state EXITED, READY, INIT_FAILED, AUTH or INIT", {
    vmid,
    state: vm.state,
  });
  if (vm.state === VmState.Exited || vm.objects === undefined) {
    beginReset(context, vm);
    return;
  }
  beginExit(context, { vmid: vm.vmid, exited: undefined, request: origin(caller, request) });
  return LATER;
});

/** exit_code 2, "unknown", is the Resource Manager's alone. */
const guestExitCodes: readonly number[] = [ExitCode.Normal, ExitCode.SoftwareError, ExitCode.BusError, ExitCode.DeviceError];

const exit = handle(VM_EXIT, (context, caller, { exit_flags, exit_code }, request) => {
  demand(caller.owner !== Vmid.ResourceManager, RmError.DENIED, "the primary VM cannot exit this way");
  demand(guestExitCodes.includes(exit_code), RmError.MSG_INVALID, "there is no such exit code for a VM", { exit_code });
  // A request that a VM sent before another VM ended it comes too late; of two requests, only the
  // first counts.
  demand(!isEnded(context, caller), RmError.VM_STATE, "the VM has ended already", { vmid: caller.vmid, state: caller.state });
  const code = exit_code === ExitCode.Normal && caller.crashMessage !== undefined ? ExitCode.SoftwareError : exit_code;
  const exited = { type: ExitType.VmExit, reason: exitReason(exit_flags, code) };
  beginExit(context, { vmid: caller.vmid, exited, request: origin(caller, request) });
  return LATER;
});

function origin(caller: Vm, request: RpcMessage): { vmid: Vmid; sequence: number; id: number } {
  return { vmid: caller.vmid, sequence: request.sequence, id: request.id };
}

export const lifecycleHandlers: readonly Handler[] = [allocate, deallocate, start, stop, reset, exit];
