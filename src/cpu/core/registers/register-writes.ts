// The registers that nothing but certain instructions, or but those and exceptions, changes while
// their vCPU runs, so that a run can stop before their writes: MSR for system registers, whose
// writes are noted, too. Address translations and timers also change the others.

import type { RegisterName } from "./vcpu-state.ts";

/** Those whose writes are noted, in the order of their bits. */
const NOTED: readonly RegisterName[] = [
  ...["VBAR_EL1", "SCTLR_EL1", "TCR_EL1", "TTBR0_EL1", "TTBR1_EL1", "MAIR_EL1", "AMAIR_EL1", "CONTEXTIDR_EL1", "CPACR_EL1"] as const,
  ...["CNTKCTL_EL1", "CNTV_CVAL_EL0", "CNTP_CVAL_EL0", "TPIDRRO_EL0", "AFSR0_EL1", "AFSR1_EL1", "MDSCR_EL1", "CSSELR_EL1"] as const,
  ...["FPCR", "SCXTNUM_EL0", "SCXTNUM_EL1", "APIAKeyLo_EL1", "APIAKeyHi_EL1", "APIBKeyLo_EL1", "APIBKeyHi_EL1"] as const,
  ...["APDAKeyLo_EL1", "APDAKeyHi_EL1", "APDBKeyLo_EL1", "APDBKeyHi_EL1", "APGAKeyLo_EL1", "APGAKeyHi_EL1"] as const,
  // Nothing but the start of a vCPU.
  ...["MIDR_EL1", "MPIDR_EL1"] as const,
];

/** Those that regions write in place, without a note. */
const IN_PLACE: readonly RegisterName[] = ["TPIDR_EL0", "TPIDR_EL1"];

/** Those that exceptions to EL1 change, too. Their writes are not noted. */
const OF_EXCEPTIONS: readonly RegisterName[] = ["ELR_EL1", "SPSR_EL1", "ESR_EL1", "FAR_EL1"];

/** X0 to X30 and V0 to V31, which are operands of instructions. */
const OPERAND = /^(x([12]?\d|30)|v([12]?\d|3[01]))$/;
/** Stack pointers, which are both. */
const STACK_POINTERS: readonly RegisterName[] = ["SP_EL0", "SP_EL1"];
/** The operand that stands for the stack pointer in use. */
export const STACK_POINTER_OPERAND = "sp";

/** The bit of each register whose writes are noted. */
export const WRITE_BITS: ReadonlyMap<string, bigint> = new Map([
  ...NOTED.map((name, index) => [name, 1n << BigInt(index)] as const),
  // A timer value sets the compare value.
  ["CNTV_TVAL_EL0", 1n << BigInt(NOTED.indexOf("CNTV_CVAL_EL0"))],
  ["CNTP_TVAL_EL0", 1n << BigInt(NOTED.indexOf("CNTP_CVAL_EL0"))],
]);

/** How a register changes. */
export interface RegisterWrites {
  /** The registers whose writes change it, in lower case: of some operands, those are many. */
  readonly names: readonly string[];
  /** Whether it is an operand of more instructions than MSR. */
  readonly isOperand: boolean;
  /** Its bit in `Written`; undefined: its writes are not noted. */
  readonly bit: bigint | undefined;
  /** Whether exceptions to EL1 change it, too. */
  readonly byExceptions: boolean;
}

/** How the register of this name, in lower case, changes; undefined: in other ways, too. */
export function registerWrites(name: string): RegisterWrites | undefined {
  const pointer = STACK_POINTERS.find((one) => one.toLowerCase() === name);
  if (pointer || OPERAND.test(name)) {
    const names = pointer ? [name, STACK_POINTER_OPERAND] : [name];
    return { names, isOperand: true, bit: undefined, byExceptions: false };
  }
  const found = [...NOTED, ...IN_PLACE, ...OF_EXCEPTIONS].find((one) => one.toLowerCase() === name), bit = found && WRITE_BITS.get(found);
  if (found === undefined) return undefined;
  const others = bit === undefined ? [] : WRITE_BITS.keys().filter((one) => one !== found && WRITE_BITS.get(one) === bit);
  const names = [found, ...others].map((one) => one.toLowerCase());
  return { names, isOperand: false, bit, byExceptions: OF_EXCEPTIONS.includes(found) };
}
