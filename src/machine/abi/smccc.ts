// Ids of SMCCC functions (Arm DEN 0028 §2.5): their parts, who owns which, and those that several
// parts of el2 name.

import { hex } from "../../kit/support/text/number-text.ts";

/** Parts of a function id. */
export const Fid = {
  Fast: 0x8000_0000,
  Smc64: 0x4000_0000,
  OwnerShift: 24,
  OwnerMask: 0x3f,
  Function: 0xffff,
  /** Must be zero. Bit 16 is a hint about SVE. */
  Reserved: 0x00fe_0000,
} as const;

/** Owners by number. */
export const Owner = { Arch: 0, Cpu: 1, Sip: 2, Oem: 3, StandardSecure: 4, StandardHyp: 5, VendorHyp: 6 } as const;

/** SMCCC_VERSION and SMCCC_ARCH_FEATURES, whole ids. */
export const SMCCC_VERSION = 0x8000_0000, SMCCC_ARCH_FEATURES = 0x8000_0001;

/** Paravirtualized time (Arm DEN0057A), whole ids. */
export const PvTime = { Features: 0xc500_0020, StolenTime: 0xc500_0021 } as const;

/** Numbers that hypervisor owners share. */
export const HypFunction = { CallCount: 0xff00, CallUid: 0xff01, Revision: 0xff03 } as const;

/** The words for each owner, from its first number on; the greatest number comes first. */
const WORDS: readonly (readonly [first: number, owner: string])[] = [
  ...[[50, "a Trusted OS"], [48, "a Trusted Application"], [7, "a reserved owner"]] as const,
  ...[[Owner.VendorHyp, "the hypervisor's vendor"], [Owner.StandardHyp, "the standard hypervisor service"]] as const,
  ...[[Owner.StandardSecure, "the standard secure service"], [Owner.Oem, "the OEM"], [Owner.Sip, "the silicon provider"]] as const,
  ...[[Owner.Cpu, "the CPU's maker"], [Owner.Arch, "Arm"]] as const,
];

/** Functions of PSCI by number (Arm DEN 0022 §5.1). */
export const PSCI_FUNCTIONS = [
  ...["VERSION", "CPU_SUSPEND", "CPU_OFF", "CPU_ON", "AFFINITY_INFO", "MIGRATE", "MIGRATE_INFO_TYPE", "MIGRATE_INFO_UP_CPU"],
  ...["SYSTEM_OFF", "SYSTEM_RESET", "FEATURES", "CPU_FREEZE", "CPU_DEFAULT_SUSPEND", "NODE_HW_STATE", "SYSTEM_SUSPEND"],
  ...["SET_SUSPEND_MODE", "STAT_RESIDENCY", "STAT_COUNT", "SYSTEM_RESET2", "MEM_PROTECT", "MEM_PROTECT_CHECK_RANGE"],
] as const;

export const ownerOf = (id: number): number => id >>> Fid.OwnerShift & Fid.OwnerMask;

/** The owner of a function in words. */
export function ownerText(id: number): string {
  const owner = ownerOf(id);
  return WORDS.find(([first]) => owner >= first)?.[1] ?? "";
}

/** A function in words: its name, or its id and who owns it. */
export function callText(id: number): string {
  if (id === SMCCC_VERSION) return "SMCCC_VERSION";
  if (id === SMCCC_ARCH_FEATURES) return "SMCCC_ARCH_FEATURES";
  if (!(id & Fid.Fast)) return hex(id);
  const psci = ownerOf(id) === Owner.StandardSecure ? PSCI_FUNCTIONS[id & Fid.Function] : undefined;
  return psci ? `PSCI ${psci}` : `${hex(id)} of ${ownerText(id)}`;
}
