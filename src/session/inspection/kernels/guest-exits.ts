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
  type VcpuState,
  Vector,
} from "../../../cpu/core/interface.ts";
import { systemRegisterNumber, systemRegisterText } from "../../../cpu/isa/names/system-register-names.ts";
import type { Observed } from "../../../machine/hypervisor/inspect.ts";
import { callText } from "../../../machine/abi/smccc.ts";
import { vmidOf } from "../../../kit/formats/stage2-tables.ts";
import { hex } from "../../../kit/support/text/number-text.ts";
import { field } from "../../../kit/support/values/bits.ts";
import { isAbort, syndromeText } from "../trace/syndromes.ts";

/** The vectors for exceptions of a lower level in AArch64, from the first on. */
const KINDS = ["synchronous", "IRQ", "FIQ", "SError"] as const;
type BitName = keyof typeof Hcr;
/** The bit of HCR_EL2 that sends an interrupt to EL2; of an SError, any of two. */
const ROUTES = { IRQ: ["IMO"], FIQ: ["FMO"], SError: ["AMO", "TEA"] } as const satisfies Record<string, readonly BitName[]>;
const VECTOR_SIZE = Vector.Irq, INSTRUCTION = 4n;

/** The addresses at which the guests of a vCPU enter its EL2. */
export function guestEntries(vcpu: VcpuState): bigint[] {
  const vectors = vcpu.getRegister("VBAR_EL2");
  return KINDS.map((_, index) => BigInt.asUintN(64, vectors + BigInt(Vector.LowerAarch64 + VECTOR_SIZE * index)));
}

/** The exit of a guest of a vCPU at a vector; undefined if it is not one: EL0 of a host. */
export function guestExit(vcpu: VcpuState, time: number): Observed | undefined {
  const hcr = vcpu.getRegister("HCR_EL2");
  if (!(hcr & (Hcr.VM | Hcr.DC)) || hcr & Hcr.TGE) return undefined;
  const offset = Number(BigInt.asUintN(64, vcpu.pc - vcpu.getRegister("VBAR_EL2"))) - Vector.LowerAarch64;
  const kind = KINDS[offset / VECTOR_SIZE];
  if (kind === undefined) return undefined;
  const { name, ...what } = kind === "synchronous" ? synchronous(vcpu) : { name: kind, ...sentBy(vcpu, ROUTES[kind]) };
  // ELR_EL2 of a call is the address of the next instruction.
  const pc = vcpu.getRegister("ELR_EL2") - (name === "HVC" ? INSTRUCTION : 0n);
  const guest = vmidOf(vcpu.getRegister("VTTBR_EL2"), vcpu.getRegister("VTCR_EL2"));
  return { kind: "trap", time, name, fields: { guest, pc, ...what } };
}

/** The control that sent an exit to EL2, if there is exactly one. */
const sender = ([by, ...others]: readonly string[]): { readonly by?: string } => by === undefined || others.length ? {} : { by };

/** The same of bits of HCR_EL2. */
function sentBy(vcpu: VcpuState, names: readonly BitName[]): { readonly by?: string } {
  const hcr = vcpu.getRegister("HCR_EL2");
  return sender(names.filter((name) => hcr & Hcr[name]).map((name) => `HCR_EL2.${name}`));
}

/** The name and parts of a synchronous exception, by its class. */
function synchronous(vcpu: VcpuState): { readonly name: string; readonly [more: string]: unknown } {
  const esr = Number(vcpu.getRegister("ESR_EL2") & 0xffff_ffffn);
  switch (exceptionClass(esr)) {
    case ExceptionClass.Hvc:
    case ExceptionClass.Smc: {
      const immediate = esr & 0xffff, name = exceptionClass(esr) === ExceptionClass.Hvc ? "HVC" : "SMC";
      return {
        name,
        ...name === "SMC" && sentBy(vcpu, ["TSC"]),
        ...immediate === 0 ? { call: callText(Number(vcpu.getX(0) & 0xffff_ffffn)) } : { immediate },
      };
    }
    case ExceptionClass.Wfx:
      return esr & 1 ? { name: "WFE", ...sentBy(vcpu, ["TWE"]) } : { name: "WFI", ...sentBy(vcpu, ["TWI"]) };
    case ExceptionClass.SystemRegister: {
      const { number, sys } = operandOf(esr), name = systemRegisterText(number).toUpperCase(), access = esr & 1 ? "read" : "write";
      return { name, access, ...sender(trapControls(vcpu, sys ? { sys } : { register: name, access })) };
    }
    case ExceptionClass.ExceptionReturn:
      return { name: "ERET", ...sender(trapControls(vcpu, "ERET")) };
    case ExceptionClass.Svc: {
      const ofEl0 = (vcpu.getRegister("SPSR_EL2") & BigInt(Pstate.ElMask)) === 0n;
      return { name: "SVC", ...sender(trapControls(vcpu, ofEl0 ? "SVC_EL0" : "SVC_EL1")) };
    }
    default:
      return { name: syndromeText(esr, 2), ...isAbort(esr) && { ipa: hex(addressOf(vcpu, esr)) } };
  }
}

/** The register of a trapped MSR or MRS, or the operation of a SYS, by the syndrome's fields. */
function operandOf(esr: number) {
  const part = (lowest: number, bits: number) => field(BigInt(esr), lowest, bits), op0 = part(20, 2);
  const sys = [part(14, 3), part(10, 4), part(1, 4), part(17, 3)] as const;
  return { number: systemRegisterNumber(op0, ...sys), sys: op0 === 1 ? sys : undefined };
}

/** The intermediate physical address of an abort: the page of HPFAR_EL2, the offset of FAR_EL2. */
function addressOf(vcpu: VcpuState, esr: number): bigint {
  const page = (vcpu.getRegister("HPFAR_EL2") >> 4n) << 12n;
  return esr & AbortSyndrome.S1ptw ? page : page | vcpu.getRegister("FAR_EL2") & 0xfffn;
}
