// The SMCs of a VM's watchdog, fast calls of 32 bits in the vendor hypervisor's range
// (docs/spec/phones.md §D3). There is none for HVC.

import type { Vcpu } from "../scheduling/vcpu.ts";
import { WATCHDOG_LONGEST } from "../scheduling/watchdog.ts";
import type { SmcccReply } from "./smccc-reply.ts";

/** Bits 15:0 of the ids. */
const Function = { Control: 5, Status: 6, Ping: 7, SetTime: 8 } as const;
/** Argument of CONTROL: bit 1 is always set, bit 0 turns the watchdog on. */
const Control = { Disable: 2, Enable: 3 } as const;
const SUCCESS: SmcccReply = [0n];
const INVALID_CODE = -2;
const INVALID_PARAMETERS: SmcccReply = [BigInt.asUintN(64, BigInt(INVALID_CODE))];

const IDLE = "this platform refuses to turn off a watchdog that is off";

/** Refuses a call that some platforms take, and says why. */
function refuse(vcpu: Vcpu, name: string, rule: string, argument: number): SmcccReply {
  const { trace } = vcpu;
  const id = trace.begin("psci", name, { argument });
  trace.refuse({ section: "phones D3", rule, object: "", values: { argument } });
  trace.end(id, { code: INVALID_CODE, name: "INVALID_PARAMETERS", refused: true });
  return INVALID_PARAMETERS;
}

/** Whether a call asks for what this platform refuses. */
export function refusesWatchdogCall(vcpu: Vcpu, fn: number, x: readonly bigint[]): boolean {
  const watchdog = vcpu.attachments.vpmGroup?.watchdog;
  if (watchdog === undefined || watchdog.isOn || fn !== Function.Control) return false;
  return Number(x[1] & 0xffff_ffffn) === Control.Disable && vcpu.services.refusesIdleWatchdog;
}

/**
 * Makes the call. Undefined if the function is not a watchdog function, or the vCPU's VM has no
 * watchdog.
 * @param fn bits 15:0 of the id
 * @param x X0..X7
 */
export function watchdogCall(vcpu: Vcpu, fn: number, x: readonly bigint[]): SmcccReply | undefined {
  const watchdog = vcpu.attachments.vpmGroup?.watchdog;
  if (watchdog === undefined) return undefined;
  const [first, second] = [x[1], x[2]].map((value) => Number(value & 0xffff_ffffn));
  switch (fn) {
    case Function.Control:
      if (first === Control.Enable) watchdog.enable();
      else if (first !== Control.Disable) return INVALID_PARAMETERS;
      else if (refusesWatchdogCall(vcpu, fn, x)) return refuse(vcpu, "WATCHDOG_CONTROL", IDLE, first);
      else watchdog.disable();
      return SUCCESS;
    case Function.Status:
      return [0n, watchdog.isOn ? 1n : 0n, BigInt(watchdog.sincePing)];
    case Function.Ping:
      watchdog.ping();
      return SUCCESS;
    case Function.SetTime:
      if (Math.max(first, second) > WATCHDOG_LONGEST) return INVALID_PARAMETERS;
      watchdog.setTime(first, second);
      return SUCCESS;
    default:
      return undefined;
  }
}
