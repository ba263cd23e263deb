// The state of a vCPU as vcpu_run reports it (docs/spec/hypervisor.md §5.4).

import { VcpuRunState, WakeupFrom, WATCHDOG_BITE } from "../../abi/words.ts";
import type { Vcpu } from "./vcpu.ts";
import { Block } from "./vcpu-life.ts";
import type { RunState } from "./vcpu-services.ts";

/** state_data_0 of a PSCI system reset. */
const Reset = { SystemReset: 1n << 63n, Wide: 1n << 62n } as const;
/** state_data_0 of a powered-off vCPU: it has exited. */
const EXITED = 1n;

/** One number as two words, and as a bigint; computers that run this are little-endian. */
const halves = new Uint32Array(2), words = new BigUint64Array(halves.buffer);

/** The state of a vCPU as its runner sees it. */
export function runState(vcpu: Vcpu): RunState {
  if (vcpu.life.stage === "exited") return state(VcpuRunState.PoweredOff, EXITED);
  if (vcpu.life.isRunnableByProxy) return state(vcpu.life.stage === "killed" ? VcpuRunState.Blocked : VcpuRunState.Ready);
  if (vcpu.life.isBlockedBy(Block.Fault)) return state(VcpuRunState.Fault, vcpu.life.bitten ? WATCHDOG_BITE : 0n);
  const { vmmio, systemReset } = vcpu.life;
  if (vmmio?.size === 0) return state(VcpuRunState.PageFault, wordOf(vmmio.ipa), vmmio.write ? 1n : 0n);
  if (vmmio?.write) return state(VcpuRunState.AddrspaceVmmioWrite, wordOf(vmmio.ipa), wordOf(vmmio.size), vmmio.value);
  if (vmmio) return state(VcpuRunState.AddrspaceVmmioRead, wordOf(vmmio.ipa), wordOf(vmmio.size));
  if (vcpu.life.isBlockedBy(Block.Wfi)) return state(VcpuRunState.ExpectsWakeup, 0n, WakeupFrom.Wfi, wakeTime(vcpu));
  if (systemReset) {
    const how = systemReset.kind === "reset" ? Reset.SystemReset : (systemReset.wide ? Reset.Wide : 0n) | BigInt(systemReset.type);
    return state(VcpuRunState.PsciSystemReset, how, systemReset.cookie);
  }
  if (vcpu.life.isBlockedBy(Block.Suspend)) {
    return state(VcpuRunState.ExpectsWakeup, BigInt(vcpu.life.powerState), WakeupFrom.PsciCpuSuspend, wakeTime(vcpu));
  }
  return state(vcpu.life.isPoweredOff ? VcpuRunState.PoweredOff : VcpuRunState.Blocked);
}

/** The time at which the VMM has to run a sleeping vCPU again: system time (ns); 0 for never. */
function wakeTime({ settings, timers }: Vcpu): bigint {
  if (settings.wakesAtTimers || timers.due === Infinity) return 0n;
  return BigInt(Math.ceil(timers.due));
}

function state(vcpu_state: number, state_data_0 = 0n, state_data_1 = 0n, state_data_2 = 0n): RunState {
  return { vcpu_state, state_data_0, state_data_1, state_data_2 };
}

/**
 * A whole number from 0 to 2^53 as a bigint. `BigInt` calls V8's runtime, which an exit to a VMM
 * would pay for twice.
 */
function wordOf(value: number): bigint {
  halves[0] = value;
  halves[1] = value / 2 ** 32;
  return words[0];
}
