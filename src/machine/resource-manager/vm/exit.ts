// Ends a VM: every vCPU is killed and driven until it is gone; then the owner hears of it
// (docs/spec/resource-manager.md §4.3, §4.4). Driving a proxy-scheduled vCPU takes vcpu_run, which
// takes time: requests wait until the end.

import { ErrorCode } from "../../abi/errors.ts";
import type { HypercallResults } from "../../abi/hypercalls.ts";
import { VM_EXITED } from "../../abi/rpc/messages/lifecycle.ts";
import { ExitCode, ExitFlags, ExitType, VmState } from "../../abi/rpc/messages/vm.ts";
import { VcpuRunState, WATCHDOG_BITE } from "../../abi/words.ts";
import type { Context } from "../state/context.ts";
import { emptyPages } from "../memory/demand-paging.ts";
import { notify } from "../rpc/link.ts";
import { answerLater } from "../rpc/replies.ts";
import { beginReset } from "./reset.ts";
import type { PendingExit, Vm } from "../state/state.ts";
import { enterState } from "../rpc/status.ts";

/** Pause between two checks of a vCPU that the hypervisor schedules, ns. */
const POLL_INTERVAL = 2_000_000;
/** State data 0 of a vCPU that was killed. */
const TERMINATED = 1n;
/** State data 0 of PSCI_SYSTEM_RESET: SYSTEM_RESET, and the width of SYSTEM_RESET2. */
const SYSTEM_RESET = 1n << 63n;
const RESET2_64BIT = 1n << 62n;

/** exit_reason: exit_flags and exit_code, then what else the type carries; words of 32 bits. */
export function exitReason(flags: number, code: number, ...more: number[]): Uint8Array {
  const bytes = new Uint8Array(4 + more.length * 4);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, (flags | code << 16) >>> 0, true);
  more.forEach((word, index) => view.setUint32(4 + index * 4, word, true));
  return bytes;
}

/** Whether a VM is ending or has ended: nothing can end it again before it is reset. */
export function isEnded({ state }: Context, { vmid, state: vmState }: Vm): boolean {
  return vmState >= VmState.Exited || state.exits.some((pending) => pending.vmid === vmid);
}

/** Begins to end a VM. `pending` is carried out when its last vCPU is gone, at once or later. */
export function beginExit(context: Context, pending: Omit<PendingExit, "vcpu">): void {
  for (const vcpu of context.objectsOf(pending.vmid).vcpus) {
    if (vcpu.active) context.undo.vcpu_kill({ cap: vcpu.cap });
  }
  context.state.exits.push({ ...pending, vcpu: 0 });
  if (context.state.exits.length === 1) driveExits(context);
}

/** Continues to end the VM. */
export function driveExits(context: Context): void {
  const { state, calls } = context;
  while (state.exits.length > 0 && !state.running) {
    const pending = state.exits[0];
    const vcpu = context.objectsOf(pending.vmid).vcpus[pending.vcpu];
    if (vcpu === undefined) {
      state.exits.shift();
      finishExit(context, pending);
    } else if (!vcpu.active) {
      pending.vcpu++;
    } else if (context.vm(pending.vmid)?.config?.affinity === "proxy") {
      state.running = true;
      calls.vcpu.vcpuRun({ cap: vcpu.cap, resume_data_0: 0, resume_data_1: 0, resume_data_2: 0 });
    } else {
      const checked = calls.try.vcpu_run_check({ cap: vcpu.cap });
      // BUSY: it was killed, and has not had its CPU since.
      const waits = checked.error === ErrorCode.BUSY || checked.error === ErrorCode.OK && !isGone(checked);
      if (waits) return context.wakeAt(calls.vcpu.now + POLL_INTERVAL);
      pending.vcpu++;
    }
  }
}

type RunResults = HypercallResults<"vcpu_run">;

/** Whether a vCPU in this state has exited. */
function isGone({ vcpu_state, state_data_0 }: RunResults): boolean {
  return vcpu_state === VcpuRunState.PoweredOff && state_data_0 === TERMINATED;
}

/** vcpu_run came back for the vCPU that is being ended. */
export function exitRunReturned(context: Context, results: RunResults): void {
  const { state, calls } = context;
  state.running = false;
  if (results.error === ErrorCode.OK && isGone(results)) {
    state.exits[0].vcpu++;
  } else if (results.error !== ErrorCode.OK) {
    // Its owner runs it just now and will see it end; look again soon.
    context.wakeAt(calls.vcpu.now + POLL_INTERVAL);
    return;
  }
  driveExits(context);
}

function finishExit(context: Context, pending: PendingExit): void {
  const vm = context.known(pending.vmid);
  if (pending.exited === undefined) {
    beginReset(context, vm);
  } else {
    emptyPages(context, vm);
    enterState(context, vm, VmState.Exited);
    const { type, reason } = pending.exited;
    const owner = context.vm(vm.owner);
    if (owner !== undefined) notify(context, owner, VM_EXITED, { vmid: vm.vmid, exit_type: type, reason_size: reason.length, reason });
  }
  if (pending.request !== undefined) answerLater(context, pending.request);
}

/**
 * A vCPU's halt vIRQ: the VM has ended by itself. False when the vIRQ does not belong to a vCPU.
 */
export function handleHalt(context: Context, virq: number): boolean {
  for (const vm of context.state.vms) {
    const vcpu = vm.objects?.vcpus.find(({ haltVirq }) => haltVirq === virq);
    if (vcpu === undefined) continue;
    if (isEnded(context, vm) || vm.config === undefined) return true;
    const checked = context.calls.try.vcpu_run_check({ cap: vcpu.cap });
    if (checked.error !== ErrorCode.OK) return true;
    const crashed = vm.crashMessage !== undefined;
    beginExit(context, { vmid: vm.vmid, exited: classify(checked, crashed), request: undefined });
    return true;
  }
  return false;
}

/** The content of VM_EXITED for a vCPU that halted in this state. */
function classify({ vcpu_state, state_data_0, state_data_1 }: RunResults, crashed: boolean): { type: number; reason: Uint8Array } {
  const code = crashed ? ExitCode.SoftwareError : ExitCode.Normal;
  switch (vcpu_state) {
    case VcpuRunState.PoweredOff:
      return { type: ExitType.PlatformOff, reason: exitReason(0, code) };
    case VcpuRunState.PsciSystemReset: {
      if (state_data_0 & SYSTEM_RESET) return { type: ExitType.PlatformReset, reason: exitReason(0, code) };
      const flags = state_data_0 & RESET2_64BIT ? ExitFlags.Reset2Is64Bit : 0;
      const cookie = [Number(state_data_1 & 0xffff_ffffn), Number(state_data_1 >> 32n)];
      return { type: ExitType.PsciSystemReset2, reason: exitReason(flags, code, Number(state_data_0 & 0xffff_ffffn), ...cookie) };
    }
    case VcpuRunState.Fault:
      if (state_data_0 === WATCHDOG_BITE) return { type: ExitType.WatchdogBite, reason: exitReason(0, code) };
      return { type: ExitType.SoftwareError, reason: exitReason(0, code) };
    default:
      return { type: ExitType.SoftwareError, reason: exitReason(0, ExitCode.UnknownError) };
  }
}
