// The vectors of a vCPU, and its stack pointer at an exception.

import { Pstate, Vector } from "../../../cpu/core/interface.ts";
import type { Vcpu } from "../../../machine/hypervisor/inspect.ts";
import { hex } from "../../../kit/support/text/number-text.ts";
import type { ExceptionCause } from "../../../model/queries/facts/exception-cause.ts";
import type { OfCode } from "../../../model/queries/facts/fact.ts";
import { causeRule } from "./cause-rule.ts";
import type { Taken } from "./taken.ts";

/** Bytes of a vector table, and of a vector. */
const VECTORS = 0x800n, VECTOR = 0x80n;

export const vectorsOf = ({ registers }: Vcpu) => registers.getRegister("VBAR_EL1");

/** Whether an address lies in the vectors of a vCPU. */
export function inVectors(vcpu: Vcpu, address: bigint): boolean {
  const vectors = vectorsOf(vcpu);
  return address >= vectors && address < vectors + VECTORS;
}

/** Whether it is the first instruction of a vector. */
export const isVector = (vcpu: Vcpu, address: bigint): boolean => inVectors(vcpu, address) && (address - vectorsOf(vcpu)) % VECTOR === 0n;

/** A vector that cannot be fetched; by default that of an exception from EL1. */
export function noVectors(vcpu: Vcpu, offset: number | bigint = Vector.CurrentSpx): OfCode<ExceptionCause, "no-vectors"> {
  return { code: "no-vectors", vbar: hex(vectorsOf(vcpu)), offset: hex(offset, 3) };
}

/** Whether EL1 used SP_EL0 at an exception, as far as SPSR_EL1 or the next exception shows it. */
export function usedSpEl0(vcpu: Vcpu, { el, elr, esr }: Taken): boolean {
  const { registers } = vcpu, last = registers.getRegister("ELR_EL1");
  if (el === 0) return false;
  const isLast = last === elr && Number(registers.getRegister("ESR_EL1") & 0xffff_ffffn) === esr;
  if (isLast) return (Number(registers.getRegister("SPSR_EL1")) & Pstate.Mode) === Pstate.EL1t;
  // The vector's own instruction raised the next one.
  return registers.chain.length === 2 && inVectors(vcpu, last) && last - vectorsOf(vcpu) < BigInt(Vector.CurrentSpx);
}

export const spOf = (vcpu: Vcpu, taken: Taken): bigint =>
  taken.sp ?? vcpu.registers.getRegister(taken.el && !usedSpEl0(vcpu, taken) ? "SP_EL1" : "SP_EL0");

/** A vector that cannot be fetched. A vCPU may start there, too. */
export const VECTORS_RULE = causeRule({
  codes: ["no-vectors"],
  asks: "is the address a vector that an exception entered?",
  judge: ({ vcpu, taken: { elr }, access }) =>
    access.kind === "instruction fetch" && inVectors(vcpu, elr) && vcpu.registers.entered?.at !== elr
      ? noVectors(vcpu, elr - vectorsOf(vcpu))
      : undefined,
});
