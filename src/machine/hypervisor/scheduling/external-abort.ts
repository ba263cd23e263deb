// A synchronous external abort that a guest takes for an access that nothing answers
// (docs/spec/hypervisor.md §6.8).

import { AbortSyndrome, ESR_IL, ExceptionClass, type Exit, FaultStatus, faultStatus, Pstate } from "../../../cpu/core/interface.ts";
import type { Vcpu } from "./vcpu.ts";

/**
 * The fault status code. For a table walk it has the level of the descriptor, which ESR_EL2 does
 * not: the walk is made again. Arm ARM D13.2.37.
 */
function statusOf(vcpu: Vcpu, exit: Pick<Exit, "esr" | "far">): number {
  if (!(exit.esr & AbortSyndrome.S1ptw)) return FaultStatus.External;
  const walk = vcpu.translate(exit.far, "read");
  // The tables may have changed while the VMM had a page fault to answer.
  return walk.ok || walk.walkLevel === undefined ? FaultStatus.External : faultStatus(FaultStatus.ExternalOnWalk, walk.walkLevel);
}

/** The guest takes a synchronous external abort; the syndrome contains only `flags`. */
export function takeExternalAbort(vcpu: Vcpu, exit: Pick<Exit, "esr" | "far" | "ipa">, flags: number): void {
  const fromEl0 = (vcpu.registers.pstate & Pstate.ElMask) === 0;
  const isFetch = exit.esr >>> 26 === ExceptionClass.InstructionAbortLower;
  const lower = isFetch ? ExceptionClass.InstructionAbortLower : ExceptionClass.DataAbortLower;
  // The classes for the same level follow those for a lower one.
  const esr = ((fromEl0 ? lower : lower + 1) << 26 | exit.esr & ESR_IL | flags | statusOf(vcpu, exit)) >>> 0;
  const page = vcpu.space.stage2.lookup(exit.ipa), { registers } = vcpu, { pc } = registers;
  vcpu.services.core.takeException(registers, esr, exit.far);
  // A hypervisor in the core may get it instead of EL1: then it is from a lower level.
  const taken = registers.getRegister((registers.pstate & Pstate.ElMask) === Pstate.EL2 ? "ESR_EL2" : "ESR_EL1");
  vcpu.noteExternalAbort({ pc, far: exit.far, ipa: exit.ipa, esr: Number(taken), page });
}
