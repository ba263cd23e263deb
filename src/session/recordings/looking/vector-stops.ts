// Stops of a debugger at the vectors of a vCPU, so that each of its exceptions to EL1 is noticed.
// Arm ARM D1.10.2. A vector that a vCPU is at is one of its exception level.

import { ExceptionClass, exceptionClass, registersOf, type VcpuState, Vector } from "../../../cpu/core/interface.ts";
import type { Vcpu } from "../../../machine/hypervisor/inspect.ts";
import type { DebugControl } from "../../../machine/hypervisor/interface.ts";

/** Bytes of a vector, and vectors of a table. */
const SIZE = BigInt(Vector.Irq), COUNT = 16;
/** Vectors of each source of exceptions. */
export const VECTOR_KINDS = 4;
const INSTRUCTION = 4n;
/** Exceptions after which ELR_ELx is the address of the next instruction. */
const CALLS: ReadonlySet<number> = new Set([ExceptionClass.Svc, ExceptionClass.Hvc]);

/** The system register whose MSR moves the vectors. */
export const VECTOR_BASE = "vbar_el1";

/** An exception that a vCPU has just taken. */
interface Taken {
  /** The instruction that caused it, or before which an interrupt was taken. */
  readonly pc: bigint;
  readonly isInterrupt: boolean;
}

/** The number of the vector at which a vCPU is; undefined if it is at none. */
export function vectorOf(registers: VcpuState): number | undefined {
  const offset = registers.pc - registersOf(registers).getRegister("VBAR_EL1");
  return offset >= 0n && offset < SIZE * BigInt(COUNT) && offset % SIZE === 0n ? Number(offset / SIZE) : undefined;
}

/** The exception by which a vCPU has come to a vector. */
export function takenTo(registers: VcpuState, vector: number): Taken {
  const taken = registersOf(registers), elr = taken.getRegister("ELR_EL1");
  if (vector % VECTOR_KINDS !== 0) return { pc: elr, isInterrupt: true };
  const isCall = CALLS.has(exceptionClass(Number(taken.getRegister("ESR_EL1"))));
  return { pc: isCall ? elr - INSTRUCTION : elr, isInterrupt: false };
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
    const index = this.#vectors.indexOf(registers.pc);
    return index < 0 ? undefined : takenTo(registers, index);
  }
}
