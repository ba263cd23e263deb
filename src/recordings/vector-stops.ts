// Stops of a debugger at the vectors of a vCPU, so that each of its exceptions to EL1 is noticed.
// Arm ARM D1.10.2.

import { ExceptionClass, exceptionClass, Vector } from "../core/interface.ts";
import type { Vcpu } from "../hypervisor/inspect.ts";
import type { DebugControl } from "../hypervisor/interface.ts";

/** Bytes of a vector; vectors of a table, and of each source of exceptions. */
const SIZE = BigInt(Vector.Irq), COUNT = 16, KINDS = 4n;
const INSTRUCTION = 4n;

/** The system register whose MSR moves the vectors. */
export const VECTOR_BASE = "vbar_el1";

/** An exception that a vCPU has just taken. */
interface Taken {
  /** The instruction that caused it, or before which an interrupt was taken. */
  readonly pc: bigint;
  readonly isInterrupt: boolean;
}

export class VectorStops {
  #vectors: readonly bigint[] = [];

  constructor(readonly control: DebugControl) {}

  /** Stops at the vectors that a vCPU has now. */
  place(vcpu: Vcpu): void {
    const { control } = this, base = vcpu.registers.getRegister("VBAR_EL1"), vm = control.debuggee.vmOf(vcpu);
    if (base === this.#vectors[0]) return;
    for (const vector of this.#vectors) control.remove(vector, vm);
    this.#vectors = Array.from({ length: COUNT }, (_, index) => base + BigInt(index) * SIZE);
    for (const vector of this.#vectors) control.insert(vector, vm);
  }

  /** The exception that a vCPU has taken, if it is at one of its vectors. */
  taken({ registers }: Vcpu): Taken | undefined {
    const { pc } = registers, index = this.#vectors.indexOf(pc);
    if (index < 0) return undefined;
    const elr = registers.getRegister("ELR_EL1");
    if (BigInt(index) % KINDS !== 0n) return { pc: elr, isInterrupt: true };
    const isCall = exceptionClass(Number(registers.getRegister("ESR_EL1"))) === ExceptionClass.Svc;
    return { pc: isCall ? elr - INSTRUCTION : elr, isInterrupt: false };
  }
}
