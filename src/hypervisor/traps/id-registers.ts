// The identification registers that vCPUs read through the hypervisor: group 3 (op0 3, op1 0, CRn
// 0, CRm 1..7), and MIDR (docs/spec/hypervisor.md §6.7). The values are those of the core; AArch32
// is not implemented, so its registers read as zero.

import { IDENTIFICATION } from "../../core/interface.ts";

/**
 * ID_AA64PFR0_EL1 says that EL2 and EL3 exist, in AArch64 only, although a guest never sees them.
 */
const PFR0_UPPER_LEVELS = 1n << 8n | 1n << 12n;

/**
 * ID_AA64MMFR2_EL1.IDS: reads of unallocated identification registers are reported with EC 0x18
 * (traps-sysreg.ts).
 */
const MMFR2_IDS = 1n << 36n;

/** Values by CRm and op2, as `CRm << 3 | op2`. */
const VALUES = new Map<number, bigint>([
  [4 << 3 | 0, IDENTIFICATION.ID_AA64PFR0_EL1 | PFR0_UPPER_LEVELS],
  [5 << 3 | 0, IDENTIFICATION.ID_AA64DFR0_EL1],
  [6 << 3 | 0, IDENTIFICATION.ID_AA64ISAR0_EL1],
  [6 << 3 | 1, IDENTIFICATION.ID_AA64ISAR1_EL1],
  [7 << 3 | 0, IDENTIFICATION.ID_AA64MMFR0_EL1],
  [7 << 3 | 1, IDENTIFICATION.ID_AA64MMFR1_EL1],
  [7 << 3 | 2, MMFR2_IDS],
]);

/** ID_AA64MMFR0_EL1.PARange of addresses of 36 and of 40 bits. */
const MMFR0 = 7 << 3 | 0;
const PA_RANGE_36 = 1n, PA_RANGE_40 = 2n;

/** A register of group 3; an unallocated one reads as zero. */
export function idRegister(crm: number, op2: number, ipaBits: 36 | 40): bigint {
  if (ipaBits === 40 && (crm << 3 | op2) === MMFR0) return IDENTIFICATION.ID_AA64MMFR0_EL1 - PA_RANGE_36 + PA_RANGE_40;
  return VALUES.get(crm << 3 | op2) ?? 0n;
}
