// The vectors of a vCPU, and its stack pointer at an exception.

import { Vector } from "../../../cpu/core/interface.ts";
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

export const spOf = ({ registers }: Vcpu, { sp, el }: Taken): bigint => sp ?? registers.getRegister(el ? "SP_EL1" : "SP_EL0");

/** A vector that cannot be fetched. A vCPU may start there, too. */
export const VECTORS_RULE = causeRule({
  codes: ["no-vectors"],
  asks: "is the address a vector that an exception entered?",
  judge: ({ vcpu, taken: { elr }, access }) =>
    access.kind === "instruction fetch" && inVectors(vcpu, elr) && vcpu.registers.entered?.at !== elr
      ? noVectors(vcpu, elr - vectorsOf(vcpu))
      : undefined,
});
