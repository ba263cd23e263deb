// Exits of the guests of a vCPU's EL2, as events: a vCPU is seen at the vectors of EL2 for a lower
// level, where EL2's registers have what the guest did. Arm ARM D1.10.2, D13.2.37 (ESR_EL2),
// D13.2.42 to D13.2.45 (fine-grained traps), D13.2.46 (HCR_EL2), D13.2.63 (HPFAR_EL2); Arm DEN 0022
// (PSCI) and 0028 (SMCCC).

import {
  AbortSyndrome,
  ExceptionClass,
  exceptionClass,
  Hcr,
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
  const exit = kind === "synchronous" ? synchronous(vcpu, memory) : { name: kind, ...sentBy(routesOf(vcpu, kind)) };
  const { name, ...what } = exit;
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

/** The name and parts of a synchronous exception, by its class. */
function synchronous(vcpu: VcpuState, memory: FindMemory | undefined): { readonly name: string; readonly [more: string]: unknown } {
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
