// The identification registers that vCPUs read through the hypervisor: group 3 (op0 3, op1 0, CRn
// 0, CRm 1..7), and MIDR (docs/spec/hypervisor.md §6.7). The values are those of the core; AArch32
// is not implemented, so its registers read as zero.

import type { Identification } from "../../isa/identification.ts";

/** The registers by CRm and op2, as `CRm << 3 | op2`. */
const NAMES = new Map<number, keyof Identification>([
  ...[[4 << 3 | 0, "PFR0"], [4 << 3 | 1, "PFR1"], [5 << 3 | 0, "DFR0"], [6 << 3 | 0, "ISAR0"], [6 << 3 | 1, "ISAR1"]] as const,
  ...[[6 << 3 | 2, "ISAR2"], [7 << 3 | 0, "MMFR0"], [7 << 3 | 1, "MMFR1"], [7 << 3 | 2, "MMFR2"]] as const,
]);

/** ID_AA64MMFR0_EL1.PARange of addresses of 36 and of 40 bits. */
const PA_RANGE_36 = 1n, PA_RANGE_40 = 2n;

/** A register of group 3; an unallocated one reads as zero. */
export function idRegister(crm: number, op2: number, ipaBits: 36 | 40, identification: Identification): bigint {
  const name = NAMES.get(crm << 3 | op2);
  if (name === undefined) return 0n;
  const value = identification[name];
  return name === "MMFR0" && ipaBits === 40 ? value - PA_RANGE_36 + PA_RANGE_40 : value;
}
