// How EL2 answers the exits of its guests, as events: a vCPU is seen at each ERET of EL2 to a
// guest, where the registers have what the guest will find. Arm ARM D1.10.1 (vectors), D1.10.4
// (ERET).

import { Hcr, Pstate, type VcpuState, Vector } from "../../../cpu/core/interface.ts";
import type { Observed } from "../../../machine/hypervisor/inspect.ts";
import { hex } from "../../../kit/support/text/number-text.ts";
import type { ExitAnswer } from "../trace/event-sentence.ts";
import { syndromeText } from "../trace/syndromes.ts";
import { guestOf, hasGuest } from "./guest-exits.ts";

const INSTRUCTION = 4n, VECTORS_SIZE = 0x800n, VECTOR_SIZE = BigInt(Vector.Irq);
/** The number of XZR. */
const ZERO = 31;
/** Guests' vCPUs whose exit is remembered: those that EL2 does not enter again stay. */
const LEFT_KEPT = 1024;

/** The latest exit of a guest's vCPU. */
interface Left {
  readonly time: number;
  readonly pc: bigint;
  readonly elr: bigint;
  /** The register that an instruction reads into, or that has the result of a call. */
  readonly register: number | undefined;
}

/** The exits of one machine that wait for their answers: for display alone. */
export class GuestReturns {
  readonly #left = new Map<string, Left>();

  /** A guest of a vCPU has left by an exit. */
  exited(vcpu: VcpuState, { time, fields: { pc, register } }: Observed): void {
    if (typeof pc !== "bigint") return;
    const key = keyOf(vcpu);
    this.#left.delete(key);
    this.#left.set(key, { time, pc, elr: vcpu.getRegister("ELR_EL2"), register: typeof register === "number" ? register : undefined });
    const [oldest] = this.#left.keys();
    if (this.#left.size > LEFT_KEPT) this.#left.delete(oldest);
  }

  /** The entry of a guest at an ERET; undefined if it is none. */
  returns(vcpu: VcpuState, time: number): Observed | undefined {
    if ((vcpu.pstate & Pstate.ElMask) !== Pstate.EL2 || !hasGuest(vcpu)) return undefined;
    if ((Number(vcpu.getRegister("SPSR_EL2")) & Pstate.ElMask) >= Pstate.EL2) return undefined;
    const key = keyOf(vcpu), left = this.#left.get(key), pc = vcpu.getRegister("ELR_EL2");
    this.#left.delete(key);
    const answer = left && left.time <= time ? { after: time - left.time, ...answerOf(vcpu, left, pc) } : {};
    const error = vcpu.getRegister("HCR_EL2") & Hcr.VSE ? { error: "SError" } : {};
    return { kind: "trap", time, name: "ERET", fields: { ...guestOf(vcpu), pc, ...answer, ...error } };
  }
}

const keyOf = (vcpu: VcpuState) => `${vcpu.stage2} ${vcpu.getRegister("VTTBR_EL2")} ${vcpu.getRegister("VMPIDR_EL2")}`;

function answerOf(
  vcpu: VcpuState,
  { pc, elr, register }: Left,
  to: bigint,
): { readonly answer: ExitAnswer; readonly [more: string]: unknown } {
  const offset = BigInt.asUintN(64, to - vcpu.getRegister("VBAR_EL1")), from = vcpu.getRegister("ELR_EL1");
  const isVector = offset < VECTORS_SIZE && offset % VECTOR_SIZE === 0n && (from === pc || from === elr);
  if (isVector && to !== elr) return { answer: "exception", ...exceptionAt(vcpu, offset) };
  if (to === pc + INSTRUCTION) {
    const value = register === undefined || register === ZERO ? undefined : vcpu.getX(register);
    return { answer: "next", ...value !== undefined && { value: `x${register} = ${hex(BigInt.asUintN(64, value))}` } };
  }
  return { answer: to === pc ? "again" : "elsewhere" };
}

/** The exception of EL1 at a vector that EL2 has made, with its syndrome in ESR_EL1. */
function exceptionAt(vcpu: VcpuState, offset: bigint) {
  const esr = Number(vcpu.getRegister("ESR_EL1") & 0xffff_ffffn), kind = Number(offset) % Vector.LowerAarch64 % (Vector.Irq * 4);
  if (kind === 0) return { exception: syndromeText(esr), esr_el1: hex(esr) };
  return { exception: kind === Vector.Irq ? "IRQ" : kind === Vector.Fiq ? "FIQ" : "SError" };
}
