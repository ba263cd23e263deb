// vcpu_run and vcpu_run_check: the host lends a vCPU its own time and learns why it stopped
// (docs/spec/hypervisor.md §5.4, docs/spec/observed.md §8).

import { ErrorCode } from "../../abi/errors.ts";
import { ThreadRight } from "../../abi/rights.ts";
import { VcpuResume, VcpuRunState } from "../../abi/words.ts";
import { AbortSyndrome } from "../../../cpu/core/interface.ts";
import { active } from "../capabilities/capability-rules.ts";
import { type Call, DEFERRED, hypercall, type HypercallDefinition } from "../capabilities/hypercall-definition.ts";
import { takeExternalAbort } from "./external-abort.ts";
import type { Vcpu } from "./vcpu.ts";
import { Block, type VmmioAccess } from "./vcpu-life.ts";
import { runState } from "./vcpu-run.ts";
import type { RunState } from "./vcpu-services.ts";

/** Completes the access that waits for the VMM, a load with `value`, or injects an abort for it. */
function resume(vcpu: Vcpu, access: VmmioAccess, value: bigint, action: bigint): void {
  const { core } = vcpu.services;
  const pageFault = access.size === 0;
  if ((pageFault ? value : action) === VcpuResume.Fault) takeExternalAbort(vcpu, access, 0);
  else if (!pageFault && action !== VcpuResume.Retry) {
    if (access.write) core.skip(vcpu.registers);
    else completeLoad(vcpu, access, value);
  }
  vcpu.vmmAnswered();
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
  // V8 compiles a cut to a width that is constant, and calls its runtime for others.
  const cut = esr & AbortSyndrome.Sf ? BigInt.asUintN(64, value) : BigInt.asUintN(32, value);
  vcpu.registers.setX(esr >>> AbortSyndrome.SrtShift & 0x1f, cut);
  vcpu.services.core.skip(vcpu.registers);
}

function run(call: Call, vcpu: Vcpu, value: bigint, action: bigint): ErrorCode | RunState | typeof DEFERRED {
  const { caller } = call;
  if (vcpu.life.stage === "exited") return runState(vcpu);
  if (!vcpu.life.isBlockedBy(Block.Run)) {
    return call.refuse(ErrorCode.BUSY, "the vCPU is not proxy-scheduled, or is already running", { target: vcpu.name });
  }
  if (!vcpu.settings.wakesAtTimers) vcpu.timers.unhold(vcpu.services.now);
  const canRun = vcpu.life.isRunnableByProxy || vcpu.life.vmmio !== undefined;
  // The check with bigints comes last: few vCPUs are run from another CPU than before.
  if (canRun && vcpu.settings.affinity !== caller.settings.affinity && vcpu.settings.isPinned) {
    return call.refuse(ErrorCode.DENIED, "a pinned vCPU stays", { affinity: vcpu.settings.affinity, caller: caller.settings.affinity });
  }
  return enterRun(caller, vcpu, value, action);
}

/**
 * Answers the access that a vCPU waits for, and lends it the caller's time. Gives its state where
 * it cannot run, or where the caller has an interrupt.
 */
export function enterRun(caller: Vcpu, vcpu: Vcpu, value: bigint, action: bigint): RunState | typeof DEFERRED {
  if (vcpu.life.vmmio && !vcpu.life.isDead) resume(vcpu, vcpu.life.vmmio, value, action);
  if (!vcpu.life.isRunnableByProxy || !vcpu.life.isDead && caller.gic.hasInterrupt) return runState(vcpu);
  caller.services.scheduler.lend(caller, vcpu);
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
