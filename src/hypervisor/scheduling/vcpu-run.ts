// vcpu_run and vcpu_run_check: the host lends a vCPU its own time and learns why it stopped
// (docs/spec/hypervisor.md §5.4, docs/spec/observed.md §8).

import { ErrorCode } from "../../abi/errors.ts";
import { ThreadRight } from "../../abi/rights.ts";
import { VcpuResume, VcpuRunState, WakeupFrom } from "../../abi/words.ts";
import { AbortSyndrome } from "../../core/architecture/exceptions.ts";
import { active, type Call, DEFERRED, hypercall, type HypercallDefinition, type Results } from "../capabilities/hypercall-definition.ts";
import { takeExternalAbort } from "../traps/traps-abort.ts";
import { Block, type Vcpu, type VmmioAccess } from "./vcpu.ts";

/** What vcpu_run answers when it answers OK. */
export type RunState = Results<"vcpu_run">;

/** state_data_0 of a PSCI system reset. */
const Reset = { SystemReset: 1n << 63n, Wide: 1n << 62n } as const;
/** state_data_0 of a powered-off vCPU: it has exited. */
const EXITED = 1n;

/** The state of a vCPU as the one who runs it sees it. */
export function runState(vcpu: Vcpu): RunState {
  if (vcpu.life === "exited") return state(VcpuRunState.PoweredOff, EXITED);
  if (vcpu.isRunnableByProxy) return state(vcpu.life === "killed" ? VcpuRunState.Blocked : VcpuRunState.Ready);
  if (vcpu.isBlockedBy(Block.Fault)) return state(VcpuRunState.Fault);
  const { vmmio, systemReset } = vcpu;
  if (vmmio?.write) return state(VcpuRunState.AddrspaceVmmioWrite, BigInt(vmmio.ipa), BigInt(vmmio.size), vmmio.value);
  if (vmmio) return state(VcpuRunState.AddrspaceVmmioRead, BigInt(vmmio.ipa), BigInt(vmmio.size));
  if (vcpu.isBlockedBy(Block.Wfi)) return state(VcpuRunState.ExpectsWakeup, 0n, WakeupFrom.Wfi);
  if (systemReset) {
    const how = systemReset.kind === "reset" ? Reset.SystemReset : (systemReset.wide ? Reset.Wide : 0n) | BigInt(systemReset.type);
    return state(VcpuRunState.PsciSystemReset, how, systemReset.cookie);
  }
  if (vcpu.isBlockedBy(Block.Suspend)) return state(VcpuRunState.ExpectsWakeup, BigInt(vcpu.powerState), WakeupFrom.PsciCpuSuspend);
  return state(vcpu.isPoweredOff ? VcpuRunState.PoweredOff : VcpuRunState.Blocked);
}

function state(vcpu_state: number, state_data_0 = 0n, state_data_1 = 0n, state_data_2 = 0n): RunState {
  return { vcpu_state, state_data_0, state_data_1, state_data_2 };
}

/**
 * Lets the access that waits for the VMM complete, a load with `value`; or has the guest take an
 * abort for it.
 */
function resume(vcpu: Vcpu, access: VmmioAccess, value: bigint, action: bigint): void {
  const { core } = vcpu.hypervisor;
  if (action === VcpuResume.Fault) takeExternalAbort(vcpu, access, 0);
  else if (access.write) core.skip(vcpu.registers);
  else completeLoad(vcpu, access, value);
  vcpu.vmmio = undefined;
  vcpu.unblock(Block.Vmmio);
}

/**
 * The value goes into the register as it is, cut to the register's width; a signed load flips and
 * subtracts its sign bit, which is a sign extension as long as the VMM gives no more bits than were
 * asked for. This is what the real hypervisor does.
 */
function completeLoad(vcpu: Vcpu, access: VmmioAccess, value: bigint): void {
  const { esr } = access;
  if (esr & AbortSyndrome.Sse) {
    const sign = 1n << BigInt(access.size * 8 - 1);
    value = (value ^ sign) - sign;
  }
  const width = esr & AbortSyndrome.Sf ? 64 : 32;
  vcpu.registers.setX(esr >>> AbortSyndrome.SrtShift & 0x1f, BigInt.asUintN(width, value));
  vcpu.hypervisor.core.skip(vcpu.registers);
}

function run(call: Call, vcpu: Vcpu, value: bigint, action: bigint): ErrorCode | RunState | typeof DEFERRED {
  const { caller } = call;
  if (vcpu.life === "exited") return runState(vcpu);
  if (!vcpu.isBlockedBy(Block.Run)) {
    return call.refuse(ErrorCode.BUSY, "the vCPU is not proxy-scheduled, or somebody runs it", { target: vcpu.name });
  }
  const canRun = vcpu.isRunnableByProxy || vcpu.vmmio !== undefined;
  if (canRun && vcpu.isPinned && vcpu.affinity !== caller.affinity) {
    return call.refuse(ErrorCode.DENIED, "a pinned vCPU stays", { affinity: vcpu.affinity, caller: caller.affinity });
  }
  if (vcpu.vmmio && !vcpu.isDead) resume(vcpu, vcpu.vmmio, value, action);
  if (!vcpu.isRunnableByProxy || !vcpu.isDead && caller.hasInterrupt) return runState(vcpu);
  call.hypervisor.scheduler.lend(caller, vcpu);
  return DEFERRED;
}

function check(call: Call, vcpu: Vcpu): ErrorCode | RunState {
  const result = runState(vcpu);
  if (result.vcpu_state === VcpuRunState.Ready || result.vcpu_state === VcpuRunState.Blocked) {
    return call.refuse(ErrorCode.BUSY, "the vCPU can run, or waits for something passing", { target: vcpu.name });
  }
  return result;
}

export const calls: readonly HypercallDefinition[] = [
  hypercall("vcpu_run", {
    caps: { cap: active("thread", ThreadRight.Affinity | ThreadRight.YieldTo) },
    handler: (call, { cap, resume_data_0, resume_data_1 }) => run(call, cap, resume_data_0, resume_data_1),
  }),
  hypercall("vcpu_run_check", {
    caps: { cap: active("thread", ThreadRight.BindVirq | ThreadRight.State) },
    handler: (call, { cap }) => check(call, cap),
  }),
];
