// The exception handler of EL2: what a vCPU's exits mean (spec/hypervisor.md sections 1.1, 1.2, 4.7, 5.5, 6.7, 6.8).
// Trapped system registers are in traps-sysreg.ts, aborts in traps-abort.ts.

import { HVC_BASE, HYPERCALL_COUNT } from "../abi/hypercalls.ts";
import { ExceptionClass, exceptionClass, syndrome } from "../core/exceptions.ts";
import { type Exit, ExitReason } from "../core/interface.ts";
import { DEFERRED } from "./hypercall-definition.ts";
import type { EncodedResults, Entrance } from "./hypercalls.ts";
import { smccc } from "./smccc.ts";
import { handleBusAccess, handleDataAbort, handleInstructionAbort } from "./traps-abort.ts";
import { handleSystemRegister } from "./traps-sysreg.ts";
import type { Vcpu } from "./vcpu.ts";

/** ISS of HVC and SMC: the immediate. */
const IMMEDIATE_MASK = 0xffff;
/** ISS of WFx: WFE rather than WFI. */
const WFX_WFE = 1;
/** Registers that carry arguments and results, and the ones that a native call leaves zero. */
const ARGUMENTS = 8;
const CLEARED_FIRST = 9;
const CLEARED_LAST = 17;
const ALL_ONES = 0xffff_ffff_ffff_ffffn;

/** Handles an exit of `vcpu` other than the end of its budget. */
export function handleExit(vcpu: Vcpu, exit: Exit): void {
  switch (exit.reason) {
    case ExitReason.Timer:
      vcpu.timers.reload(vcpu.hypervisor.now);
      break;
    case ExitReason.Yield:
      vcpu.hypervisor.scheduler.endTurn();
      break;
    case ExitReason.Bus:
      handleBusAccess(vcpu, exit);
      break;
    case ExitReason.Trap:
      handleTrap(vcpu, exit);
      break;
  }
}

function handleTrap(vcpu: Vcpu, exit: Exit): void {
  const { core, scheduler } = vcpu.hypervisor;
  switch (exceptionClass(exit.esr)) {
    case ExceptionClass.Hvc:
      callHvc(vcpu, exit.esr & IMMEDIATE_MASK);
      break;
    case ExceptionClass.Smc:
      // SMC traps with PC at itself, HVC behind itself.
      core.skip(vcpu.registers);
      if (exit.esr & IMMEDIATE_MASK) vcpu.registers.setX(0, ALL_ONES);
      else callSmccc(vcpu);
      break;
    case ExceptionClass.Wfx:
      core.skip(vcpu.registers);
      if (exit.esr & WFX_WFE) scheduler.endTurn();
      else vcpu.waitForInterrupt();
      break;
    case ExceptionClass.SystemRegister:
      if (!handleSystemRegister(vcpu, exit.esr)) injectUndefined(vcpu);
      break;
    case ExceptionClass.DataAbortLower:
      handleDataAbort(vcpu, exit);
      break;
    case ExceptionClass.InstructionAbortLower:
      handleInstructionAbort(vcpu, exit);
      break;
    default:
      injectUndefined(vcpu);
  }
}

/** A trapped instruction that nobody handles is undefined for the guest. */
function injectUndefined(vcpu: Vcpu): void {
  vcpu.hypervisor.core.takeException(vcpu.registers, syndrome(ExceptionClass.Unknown, 0));
}

function callHvc(vcpu: Vcpu, immediate: number): void {
  if (immediate === 0) {
    callSmccc(vcpu);
    return;
  }
  const number = immediate - HVC_BASE;
  if (number < 0 || number >= HYPERCALL_COUNT) {
    vcpu.registers.setX(0, ALL_ONES);
    return;
  }
  vcpu.entrance = "native";
  const results = vcpu.hypervisor.hypercalls.dispatch(vcpu, number, argumentsOf(vcpu), "native");
  if (results !== DEFERRED) writeResults(vcpu, results ?? UNASSIGNED, "native");
}

/** An unassigned number: X0 is all ones, the other results are zero. */
const UNASSIGNED: EncodedResults = { values: [ALL_ONES, 0n, 0n, 0n, 0n, 0n, 0n, 0n], count: ARGUMENTS };

function callSmccc(vcpu: Vcpu): void {
  vcpu.entrance = "smccc";
  const reply = smccc(vcpu, argumentsOf(vcpu));
  if (reply === DEFERRED) return;
  for (let index = 0; index < reply.length; index++) vcpu.registers.setX(index, reply[index]);
}

function argumentsOf(vcpu: Vcpu): bigint[] {
  const { registers } = vcpu;
  return Array.from({ length: ARGUMENTS }, (_, index) => registers.getX(index));
}

/** Gives a hypercall's results to its caller, which executes instructions. */
export function writeResults(vcpu: Vcpu, results: EncodedResults, entrance: Entrance): void {
  const { registers } = vcpu;
  const count = entrance === "native" ? ARGUMENTS : results.count;
  for (let index = 0; index < count; index++) registers.setX(index, results.values[index]);
  if (entrance === "smccc") return;
  for (let index = CLEARED_FIRST; index <= CLEARED_LAST; index++) registers.setX(index, 0n);
}
