// The identification registers that vCPUs read through the hypervisor: group 3 (op0 3, op1 0, CRn
// 0, CRm 1..7), and MIDR (docs/spec/hypervisor.md §6.7). The values are those of the core, less
// what EL2 hides from the vCPU; AArch32 is not implemented, so its registers read as zero.

import { VcpuOption } from "../../abi/words.ts";
import { type Feature, type FeatureName, FEATURES } from "../../../cpu/isa/cpus/features.ts";
import type { Identification } from "../../../cpu/isa/cpus/identification.ts";
import type { Vcpu } from "../scheduling/vcpu.ts";

/** The registers by CRm and op2, as `CRm << 3 | op2`. */
const NAMES = new Map<number, keyof Identification>([
  ...[[4 << 3 | 0, "PFR0"], [4 << 3 | 1, "PFR1"], [5 << 3 | 0, "DFR0"], [6 << 3 | 0, "ISAR0"], [6 << 3 | 1, "ISAR1"]] as const,
  ...[[6 << 3 | 2, "ISAR2"], [7 << 3 | 0, "MMFR0"], [7 << 3 | 1, "MMFR1"], [7 << 3 | 2, "MMFR2"]] as const,
]);

/** ID_AA64MMFR0_EL1.PARange of addresses of 36 and of 40 bits. */
const PA_RANGE_36 = 1n, PA_RANGE_40 = 2n;

const OPTIONS: Readonly<Record<NonNullable<Feature["option"]>, bigint>> = { ras_error_handler: VcpuOption.RasErrorHandler };

/** Fields of features that need an option of the vCPU. */
const OPTIONAL = Object.values<Feature>(FEATURES).flatMap(({ fields = [], option }) =>
  option ? fields.map(([register, bit]) => ({ register, mask: 0xfn << BigInt(bit), option: OPTIONS[option] })) : []
);

/** Whether EL2 hides from a vCPU what needs an option. */
const hides = (option: bigint, { options }: Vcpu["settings"]): boolean => (options & option) === 0n;

/** Whether a vCPU finds a feature: its CPU has it, and EL2 does not hide it. */
export function isOffered(feature: FeatureName, { services, settings }: Vcpu): boolean {
  const { option }: Feature = FEATURES[feature];
  return services.core.cpu.features.has(feature) && !(option && hides(OPTIONS[option], settings));
}

/** A register of group 3, as a vCPU reads it; an unallocated one reads as zero. */
export function idRegister(crm: number, op2: number, { services, settings }: Vcpu): bigint {
  const name = NAMES.get(crm << 3 | op2);
  if (name === undefined) return 0n;
  const hidden = OPTIONAL.filter(({ register, option }) => register === name && hides(option, settings));
  const value = hidden.reduce((all, { mask }) => all & ~mask, services.core.identification[name]);
  return name === "MMFR0" && services.behaviour.ipaBits === 40 ? value - PA_RANGE_36 + PA_RANGE_40 : value;
}
