// Exits of the guests of a vCPU's EL2, as events: a vCPU is seen at the vectors of EL2 for a lower
// level, where EL2's registers have what the guest did. Arm ARM D1.10.2, D13.2.37 (ESR_EL2),
// D13.2.46 (HCR_EL2), D13.2.63 (HPFAR_EL2); Arm DEN 0022 (PSCI) and 0028 (SMCCC).

import { AbortSyndrome, ExceptionClass, exceptionClass, Hcr, trapBits, type VcpuState, Vector } from "../../../cpu/core/interface.ts";
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
  const { name, ...what } = kind === "synchronous" ? synchronous(vcpu) : { name: kind, ...sentBy(hcr, ROUTES[kind]) };
  // ELR_EL2 of a call is the address of the next instruction.
  const pc = vcpu.getRegister("ELR_EL2") - (name === "HVC" ? INSTRUCTION : 0n);
  const guest = vmidOf(vcpu.getRegister("VTTBR_EL2"), vcpu.getRegister("VTCR_EL2"));
  return { kind: "trap", time, name, fields: { guest, pc, ...what } };
}

/** The control that sent an exit to EL2, if exactly one of these bits of HCR_EL2 is set. */
function sentBy(hcr: bigint, names: readonly BitName[]): { readonly by?: string } {
  const [name, ...others] = names.filter((name) => hcr & Hcr[name]);
  return name === undefined || others.length ? {} : { by: `HCR_EL2.${name}` };
}

/** The name and parts of a synchronous exception, by its class. */
function synchronous(vcpu: VcpuState): { readonly name: string; readonly [more: string]: unknown } {
  const esr = Number(vcpu.getRegister("ESR_EL2") & 0xffff_ffffn), hcr = vcpu.getRegister("HCR_EL2");
  switch (exceptionClass(esr)) {
    case ExceptionClass.Hvc:
    case ExceptionClass.Smc: {
      const immediate = esr & 0xffff, name = exceptionClass(esr) === ExceptionClass.Hvc ? "HVC" : "SMC";
      return {
        name,
        ...name === "SMC" && sentBy(hcr, ["TSC"]),
        ...immediate === 0 ? { call: callText(Number(vcpu.getX(0) & 0xffff_ffffn)) } : { immediate },
      };
    }
    case ExceptionClass.Wfx:
      return esr & 1 ? { name: "WFE", ...sentBy(hcr, ["TWE"]) } : { name: "WFI", ...sentBy(hcr, ["TWI"]) };
    case ExceptionClass.SystemRegister: {
      const name = registerOf(esr), access = esr & 1 ? "read" : "write";
      return { name, access, ...sentBy(hcr, trapBits(name, access)) };
    }
    default:
      return { name: syndromeText(esr, 2), ...isAbort(esr) && { ipa: hex(addressOf(vcpu, esr)) } };
  }
}

/** The register of a trapped MSR, MRS or SYS, by the syndrome's fields. */
function registerOf(esr: number): string {
  const part = (lowest: number, bits: number) => field(BigInt(esr), lowest, bits);
  return systemRegisterText(systemRegisterNumber(part(20, 2), part(14, 3), part(10, 4), part(1, 4), part(17, 3))).toUpperCase();
}

/** The intermediate physical address of an abort: the page of HPFAR_EL2, the offset of FAR_EL2. */
function addressOf(vcpu: VcpuState, esr: number): bigint {
  const page = (vcpu.getRegister("HPFAR_EL2") >> 4n) << 12n;
  return esr & AbortSyndrome.S1ptw ? page : page | vcpu.getRegister("FAR_EL2") & 0xfffn;
}
