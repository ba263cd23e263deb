// The exception handler of EL2: handles a vCPU's exits (docs/spec/hypervisor.md §1.1, 1.2, 4.7,
// §5.5, §6.7, §6.8). Trapped system registers are in traps-sysreg.ts, aborts in traps-abort.ts.

import { HVC_BASE } from "../../abi/hypercalls.ts";
import { ExceptionClass, exceptionClass, type Exit, ExitReason, syndrome } from "../../../cpu/core/interface.ts";
import { DEFERRED } from "../capabilities/hypercall-definition.ts";
import { type Conduit, smccc, traceCall } from "../firmware/smccc.ts";
import { handleBusAccess, handleDataAbort, handleInstructionAbort } from "./traps-abort.ts";
import { semihostingCall } from "../semihosting/semihosting-calls.ts";
import { clearBehind } from "./call-registers.ts";
import { isOffered } from "./id-registers.ts";
import { handleSystemRegister, isIdentificationRead } from "./traps-sysreg.ts";
import type { Vcpu } from "../scheduling/vcpu.ts";

/** ISS of HVC and SMC: the immediate. */
const IMMEDIATE_MASK = 0xffff;
/** ISS of WFx: WFE rather than WFI. */
const WFX_WFE = 1;
/** Registers that carry arguments and results, and the ones that a native call leaves zero. */
const ARGUMENTS = 8;
const ALL_ONES = 0xffff_ffff_ffff_ffffn;

/** Handles an exit of `vcpu` other than the end of its budget. */
export function handleExit(vcpu: Vcpu, exit: Exit): void {
  if (exit.reason === ExitReason.Trap) handleTrap(vcpu, exit);
  else if (exit.reason === ExitReason.Bus) handleBusAccess(vcpu, exit);
  else handleNotice(vcpu, exit);
}

/** Handles an exit that has no syndrome. */
function handleNotice(vcpu: Vcpu, { reason, deactivated }: Exit): void {
  switch (reason) {
    case ExitReason.Timer:
      vcpu.timers.reload(vcpu.services.now);
      break;
    case ExitReason.Pmu:
      vcpu.coreInterrupts.performance?.update();
      break;
    case ExitReason.VirtualInterface:
      vcpu.coreInterrupts.maintenance?.update();
      if (deactivated !== undefined) vcpu.gic.gic.deactivate(vcpu.gic, deactivated);
      break;
    case ExitReason.Yield:
      vcpu.services.scheduler.endTurn();
      break;
  }
}

function handleTrap(vcpu: Vcpu, exit: Exit): void {
  const { core, scheduler } = vcpu.services;
  switch (exceptionClass(exit.esr)) {
    case ExceptionClass.Hvc:
      callHvc(vcpu, exit.esr & IMMEDIATE_MASK);
      break;
    case ExceptionClass.Smc:
      // SMC traps with the PC at the instruction, HVC with the PC after it.
      core.skip(vcpu.registers);
      if (exit.esr & IMMEDIATE_MASK) refuseUnknown(vcpu, "smc", exit.esr & IMMEDIATE_MASK);
      else callSmccc(vcpu, "smc");
      break;
    case ExceptionClass.Wfx:
      if (vcpu.trace.isWanted("trap")) vcpu.trace.event("trap", exit.esr & WFX_WFE ? "WFE" : "WFI", { pc: vcpu.registers.pc });
      core.skip(vcpu.registers);
      if (exit.esr & WFX_WFE) scheduler.endTurn();
      else vcpu.waitForInterrupt();
      break;
    case ExceptionClass.SystemRegister:
      if (handleSystemRegister(vcpu, exit.esr)) break;
      if (isIdentificationRead(exit.esr)) refuseIdentification(vcpu, exit.esr);
      else injectUndefined(vcpu);
      break;
    case ExceptionClass.DataAbortLower:
      handleDataAbort(vcpu, exit);
      break;
    case ExceptionClass.InstructionAbortLower:
      handleInstructionAbort(vcpu, exit);
      break;
    case ExceptionClass.Unknown: {
      const vm = vcpu.services.semihosted?.(vcpu);
      if (vm) semihostingCall(vcpu, vm);
      else vcpu.services.core.takeException(vcpu.registers, syndrome(ExceptionClass.Unknown, 0));
      break;
    }
    default:
      if (vcpu.trace.isWanted("trap")) vcpu.trace.event("trap", "UNDEFINED", { pc: vcpu.registers.pc });
      injectUndefined(vcpu);
  }
}

/**
 * A register of the feature ID space that is not allocated: with FEAT_IDST a trapped access, which
 * EL1 can emulate, else UNDEFINED.
 */
function refuseIdentification(vcpu: Vcpu, esr: number): void {
  vcpu.services.core.takeException(vcpu.registers, isOffered("FEAT_IDST", vcpu) ? esr : syndrome(ExceptionClass.Unknown, 0));
}

/** A trapped instruction without a handler is UNDEFINED for the guest. */
function injectUndefined(vcpu: Vcpu): void {
  vcpu.services.uncovered(vcpu, "the trapped instruction");
  vcpu.services.core.takeException(vcpu.registers, syndrome(ExceptionClass.Unknown, 0));
}

function callHvc(vcpu: Vcpu, immediate: number): void {
  if (immediate === 0) {
    callSmccc(vcpu, "hvc");
    return;
  }
  const number = immediate - HVC_BASE;
  if (number < 0 || number >= vcpu.services.hypercalls.end) {
    refuseUnknown(vcpu, "hvc", immediate);
    return;
  }
  vcpu.beginCall("native");
  if (vcpu.services.hypercalls.call(vcpu, number)) return;
  traceCall(vcpu, "hvc", { immediate });
  vcpu.services.uncovered(vcpu, `hypercall 0x${immediate.toString(16)}`);
  vcpu.registers.setX(0, ALL_ONES);
  clearBehind(vcpu, 1);
}

/** An unassigned call: returns -1 and changes nothing else. */
function refuseUnknown(vcpu: Vcpu, conduit: Conduit, immediate: number): void {
  traceCall(vcpu, conduit, { immediate });
  vcpu.services.uncovered(vcpu, `${conduit.toUpperCase()} #0x${immediate.toString(16)}`);
  vcpu.registers.setX(0, ALL_ONES);
}

function callSmccc(vcpu: Vcpu, conduit: Conduit): void {
  vcpu.beginCall("smccc");
  const reply = smccc(vcpu, argumentsOf(vcpu), conduit);
  if (reply === DEFERRED) return;
  for (let index = 0; index < reply.length; index++) vcpu.registers.setX(index, reply[index]);
}

function argumentsOf(vcpu: Vcpu): bigint[] {
  const { registers } = vcpu;
  return Array.from({ length: ARGUMENTS }, (_, index) => registers.getX(index));
}
