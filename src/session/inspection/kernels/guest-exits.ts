// Exits of the guests of a vCPU's EL2, as events: a vCPU is seen at the vectors of EL2 for a lower
// level, where EL2's registers have what the guest did. Arm ARM D1.10.2, D13.2.37 (ESR_EL2),
// D13.2.42 to D13.2.45 (fine-grained traps), D13.2.46 (HCR_EL2), D13.2.63 (HPFAR_EL2); Arm DEN 0022
// (PSCI) and 0028 (SMCCC).

import {
  AbortSyndrome,
  ExceptionClass,
  exceptionClass,
  Hcr,
  Pstate,
  trapControls,
  trappedEncoding,
  type VcpuState,
  Vector,
} from "../../../cpu/core/interface.ts";
import { systemRegisterText } from "../../../cpu/isa/names/system-register-names.ts";
import type { Observed } from "../../../machine/hypervisor/inspect.ts";
import { callText } from "../../../machine/abi/smccc.ts";
import { vmidOf } from "../../../kit/formats/stage2-tables.ts";
import { hex } from "../../../kit/support/text/number-text.ts";
import { isAbort, syndromeText } from "../trace/syndromes.ts";
import { affinityText } from "./el2-guests.ts";
import { stage2Fault, type StageMemory } from "./stage2-fault.ts";

/** The vectors for exceptions of a lower level in AArch64, from the first on. */
const KINDS = ["synchronous", "IRQ", "FIQ", "SError"] as const;
/** The bit of HCR_EL2 that sends an interrupt to EL2; of an SError, any of two. */
const ROUTES = { IRQ: ["IMO"], FIQ: ["FMO"], SError: ["AMO", "TEA"] } as const;
const VECTOR_SIZE = Vector.Irq, INSTRUCTION = 4n;

/** Called for aborts alone: exits are frequent, and the memory of a VM has to be looked up. */
type FindMemory = () => StageMemory | undefined;

/** The addresses at which the guests of a vCPU enter its EL2. */
export function guestEntries(vcpu: VcpuState): bigint[] {
  const vectors = vcpu.getRegister("VBAR_EL2");
  return KINDS.map((_, index) => BigInt.asUintN(64, vectors + BigInt(Vector.LowerAarch64 + VECTOR_SIZE * index)));
}

/** Whether below its EL2 a vCPU executes a guest of that, and not a host's EL0. */
export function hasGuest(vcpu: VcpuState): boolean {
  const hcr = vcpu.getRegister("HCR_EL2");
  return (hcr & (Hcr.VM | Hcr.DC)) !== 0n && !(hcr & Hcr.TGE);
}

/** The guest that a vCPU has below its EL2, and which of its vCPUs. */
export const guestOf = (vcpu: VcpuState): { readonly guest: number; readonly guest_vcpu: string } => ({
  guest: vmidOf(vcpu.getRegister("VTTBR_EL2"), vcpu.getRegister("VTCR_EL2")),
  guest_vcpu: affinityText(vcpu.getRegister("VMPIDR_EL2")),
});

/**
 * The exit of a guest of a vCPU at a vector; undefined if it is not one: EL0 of a host.
 * @param memory finds that in which the tables of stage 2 are; without it, the cause of a fault is
 * not read
 */
export function guestExit(vcpu: VcpuState, time: number, memory?: FindMemory): Observed | undefined {
  if (!hasGuest(vcpu)) return undefined;
  const offset = Number(BigInt.asUintN(64, vcpu.pc - vcpu.getRegister("VBAR_EL2"))) - Vector.LowerAarch64;
  const kind = KINDS[offset / VECTOR_SIZE];
  if (kind === undefined) return undefined;
  return exitOf(vcpu, time, kind === "synchronous" ? synchronous(vcpu, memory) : { name: kind, ...sentBy(routesOf(vcpu, kind)) });
}

/**
 * The exit of a guest that EL2 handles at any place of its code, by the registers alone: inferred,
 * as an interrupt leaves ESR_EL2 as it was. Undefined after an exception of EL2 itself, and where
 * the guest has another instruction than the syndrome is of: then it was an interrupt.
 * @param wordAt reads the guest's instruction; undefined where it cannot be read
 */
export function handledExit(
  vcpu: VcpuState,
  time: number,
  wordAt: (address: bigint) => number | undefined,
  memory: FindMemory,
): Observed | undefined {
  const isEl2 = (vcpu.pstate & Pstate.ElMask) === Pstate.EL2;
  if (!isEl2 || !hasGuest(vcpu) || (Number(vcpu.getRegister("SPSR_EL2")) & Pstate.ElMask) >= Pstate.EL2) return undefined;
  const exit = exitOf(vcpu, time, synchronous(vcpu, memory)), { pc } = exit.fields;
  const word = typeof pc === "bigint" ? wordAt(pc) : undefined;
  return word === undefined || canHave(Number(vcpu.getRegister("ESR_EL2") & 0xffff_ffffn), word) ? exit : undefined;
}

function exitOf(vcpu: VcpuState, time: number, { name, ...what }: Exit): Observed {
  // ELR_EL2 of a call is the address of the next instruction.
  const pc = vcpu.getRegister("ELR_EL2") - (name === "HVC" ? INSTRUCTION : 0n);
  return { kind: "trap", time, name, fields: { ...guestOf(vcpu), pc, ...what } };
}

/** The bits of HCR_EL2 that may have sent an interrupt. */
function routesOf(vcpu: VcpuState, kind: keyof typeof ROUTES): string[] {
  const hcr = vcpu.getRegister("HCR_EL2"), names: readonly (keyof typeof Hcr)[] = ROUTES[kind];
  return names.filter((name) => hcr & Hcr[name]).map((name) => `HCR_EL2.${name}`);
}

/** The control that sent an exit to EL2, if exactly one can have. */
function sentBy([name, ...others]: readonly string[]): { readonly by?: string } {
  return name === undefined || others.length ? {} : { by: name };
}

interface Exit {
  readonly name: string;
  readonly [more: string]: unknown;
}

/** The name and parts of a synchronous exception, by its class. */
function synchronous(vcpu: VcpuState, memory: FindMemory | undefined): Exit {
  const esr = Number(vcpu.getRegister("ESR_EL2") & 0xffff_ffffn);
  switch (exceptionClass(esr)) {
    case ExceptionClass.Hvc:
    case ExceptionClass.Smc: {
      const immediate = esr & 0xffff, name = exceptionClass(esr) === ExceptionClass.Hvc ? "HVC" : "SMC";
      return {
        name,
        register: 0,
        ...sentBy(trapControls(vcpu, esr)),
        ...immediate === 0 ? { call: callText(Number(vcpu.getX(0) & 0xffff_ffffn)) } : { immediate },
      };
    }
    case ExceptionClass.Wfx:
      return { name: esr & 1 ? "WFE" : "WFI", ...sentBy(trapControls(vcpu, esr)) };
    case ExceptionClass.ExceptionReturn:
      return { name: "trapped ERET", ...sentBy(trapControls(vcpu, esr)) };
    case ExceptionClass.Svc:
      return { name: "SVC", ...sentBy(trapControls(vcpu, esr)) };
    case ExceptionClass.FpAccess:
    case ExceptionClass.PointerUse:
      return { name: syndromeText(esr, 2), ...sentBy(trapControls(vcpu, esr)) };
    case ExceptionClass.SystemRegister: {
      const access = esr & 1 ? "read" : "write", register = esr >> 5 & 31;
      const name = systemRegisterText(trappedEncoding(esr)).toUpperCase();
      return { name, access, ...access === "read" && { register }, ...sentBy(trapControls(vcpu, esr)) };
    }
    default:
      return { name: syndromeText(esr, 2), ...isAbort(esr) && aborted(vcpu, esr, memory) };
  }
}

/** The instructions of a class of exceptions, without their operands (Arm ARM C6.2). */
const INSTRUCTIONS: { readonly [exception: number]: readonly [mask: number, word: number] | undefined } = {
  [ExceptionClass.Wfx]: [0xffff_8000, 0xd503_0000],
  [ExceptionClass.Svc]: [0xffe0_001f, 0xd400_0001],
  [ExceptionClass.Hvc]: [0xffe0_001f, 0xd400_0002],
  [ExceptionClass.Smc]: [0xffe0_001f, 0xd400_0003],
  [ExceptionClass.ExceptionReturn]: [0xffff_f000, 0xd69f_0000],
  [ExceptionClass.SystemRegister]: [0xffc0_0000, 0xd500_0000],
};
/** L of MRS and MSR, op0 to op2, Rt. */
const isAccessOf = (esr: number, word: number) =>
  (word >>> 21 & 1) === (esr & 1) && (word >>> 5 & 0xffff) === trappedEncoding(esr) && (word & 31) === (esr >> 5 & 31);

/** Whether an instruction can have this syndrome; aborts are of any. */
function canHave(esr: number, word: number): boolean {
  const exception = exceptionClass(esr), [mask, bits] = INSTRUCTIONS[exception] ?? [0, 0];
  return (word & mask) >>> 0 === bits && (exception !== ExceptionClass.SystemRegister || isAccessOf(esr, word));
}

/** The address of an abort, the register that it loads, and why stage 2 did not permit it. */
function aborted(vcpu: VcpuState, esr: number, find: FindMemory | undefined) {
  const page = (vcpu.getRegister("HPFAR_EL2") >> 4n) << 12n;
  const ipa = esr & AbortSyndrome.S1ptw ? page : page | vcpu.getRegister("FAR_EL2") & 0xfffn;
  const memory = find?.();
  const loads = (esr & AbortSyndrome.Isv) !== 0 && !(esr & AbortSyndrome.WnR);
  return {
    ipa: hex(ipa),
    ...loads && { register: esr >> AbortSyndrome.SrtShift & 31 },
    ...memory && { fault: stage2Fault(vcpu, esr, ipa, memory) },
  };
}
