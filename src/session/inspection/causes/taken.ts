// A synchronous exception that a vCPU took to EL1, with the instruction that raised it and the
// access that the instruction made. Arm ARM D13.2.37.

import { AbortSyndrome, ExceptionClass, exceptionClass, Pstate } from "../../../cpu/core/interface.ts";
import type { Vcpu } from "../../../machine/hypervisor/inspect.ts";
import { disassemble } from "../../../cpu/isa/disassemble.ts";
import type { AccessKind, FaultingAccess } from "../../../model/queries/facts/exception-cause.ts";
import { hex } from "../../../kit/support/text/number-text.ts";

/** A synchronous exception as EL1 sees it. */
export interface Taken {
  readonly esr: number;
  readonly elr: bigint;
  readonly far: bigint;
  /** The level that raised it. */
  readonly el: 0 | 1;
  /** SP at that time; undefined: the current one is taken. */
  readonly sp?: bigint;
}

/** The first of the exceptions at EL1 that a vCPU has not returned from. */
export function firstTaken({ registers: { chain } }: Vcpu): Taken | undefined {
  return chain.length === 0 ? undefined : { esr: Number(chain.esr & 0xffff_ffffn), elr: chain.elr, far: chain.far, el: 1 };
}

/** The exception in the registers: the one that a vCPU took last. */
export function lastTaken({ registers }: Vcpu): Taken {
  return {
    esr: Number(registers.getRegister("ESR_EL1") & 0xffff_ffffn),
    elr: registers.getRegister("ELR_EL1"),
    far: registers.getRegister("FAR_EL1"),
    el: Number(registers.getRegister("SPSR_EL1")) & Pstate.ElMask ? 1 : 0,
  };
}

/** Bytes of a register of a load or store, by the first letter of its name. */
const REGISTER_BYTES: Readonly<Record<string, number>> = { b: 1, h: 2, s: 4, w: 4, d: 8, x: 8, q: 16 };
const NARROW: Readonly<Record<string, number>> = { b: 1, h: 2, sb: 1, sh: 2, sw: 4 };

/** The access that an instruction makes. */
export function accessOf(word: number | undefined, taken: Pick<Taken, "esr" | "far">): FaultingAccess {
  const ec = exceptionClass(taken.esr), address = hex(taken.far);
  if (ec === ExceptionClass.InstructionAbort || ec === ExceptionClass.InstructionAbortLower) {
    return { kind: "instruction fetch", address, size: 4 };
  }
  if (taken.esr & AbortSyndrome.Cm) return { kind: "cache maintenance", address, size: null };
  const [mnemonic, operands = ""] = word === undefined ? ["", ""] : disassemble(word, 0n).split("\t");
  return { kind: kindOf(mnemonic, taken.esr), address, size: sizeOf(mnemonic, operands) };
}

const ATOMIC = /^(?:cas|swp|(?:ld|st)(?:add|clr|set|eor|[su](?:max|min)))/;

function kindOf(mnemonic: string, esr: number): AccessKind {
  if (ATOMIC.test(mnemonic)) return "atomic access";
  return esr & AbortSyndrome.WnR || mnemonic.startsWith("st") ? "store" : "load";
}

/** Bytes of a load or store of registers; null for others, such as structures of vectors. */
function sizeOf(mnemonic: string, operands: string): number | null {
  const isAtomic = ATOMIC.test(mnemonic);
  if (!isAtomic && !/^(?:ld|st)(?!\d)/.test(mnemonic)) return null;
  const [, suffix = ""] = (isAtomic ? /([bh])$/ : /r(s?[bhw])$/).exec(mnemonic) ?? [];
  // The first register of an exclusive store is its status.
  const registers = operands.split(", "), [register = ""] = /^stl?x/.test(mnemonic) ? registers.slice(1) : registers;
  const bytes = suffix === "" ? REGISTER_BYTES[register[0]] : NARROW[suffix];
  const isPair = /^(?:ldn?p|stn?p|ldpsw|lda?xp|stl?xp|casp)/.test(mnemonic);
  return bytes === undefined ? null : isPair ? 2 * bytes : bytes;
}
