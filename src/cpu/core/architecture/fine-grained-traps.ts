// The fields of FEAT_FGT's registers, each of which traps one register or instruction of EL1 and
// EL0. Arm ARM D13.2.42 to D13.2.45, D13.3.6, D13.3.7. Fields of what EL2 does not have yet
// (performance monitors) are left out, and so are RES0.

import type { FeatureName } from "../../isa/cpus/features.ts";

/** MRS or MSR. */
export type RegisterMove = "read" | "write";

/** op1, CRn, CRm and op2 of a SYS instruction. */
export type SysFields = readonly [op1: number, crn: number, crm: number, op2: number];

export const FINE_TRAP_REGISTERS = ["HFGRTR_EL2", "HFGWTR_EL2", "HFGITR_EL2", "HDFGRTR_EL2", "HDFGWTR_EL2"] as const;
export type FineTrapRegister = typeof FINE_TRAP_REGISTERS[number];

/** A field of one bit. */
interface TrapField {
  readonly bit: number;
  readonly name: string;
  /** The feature without which it is RES0. */
  readonly feature?: FeatureName;
}

/** A field for accesses to registers, whose names match. */
interface MoveTrap extends TrapField {
  readonly registers: RegExp;
  /** It is in the register for this direction alone. */
  readonly only?: RegisterMove;
}

/** The keys of pointer authentication, in the order of their fields, and the registers of each. */
const KEYS = ["APDAKey", "APDBKey", "APGAKey", "APIAKey", "APIBKey"];
const halvesOf = (key: string) => new RegExp(`^${key}(Lo|Hi)_EL1$`, "i");

/** Whether a register is half a key. */
export const isKey = (name: string): boolean => KEYS.some((key) => halvesOf(key).test(name));

/** Names of fields that stand for several registers. */
const SEVERAL: Readonly<Record<string, RegExp>> = {
  ICC_IGRPENn_EL1: /^ICC_IGRPEN[01]_EL1$/,
  ERXMISCn_EL1: /^ERXMISC[0-3]_EL1$/,
  DBGBCRn_EL1: /^DBGBCR\d+_EL1$/,
  DBGBVRn_EL1: /^DBGBVR\d+_EL1$/,
  DBGWCRn_EL1: /^DBGWCR\d+_EL1$/,
  DBGWVRn_EL1: /^DBGWVR\d+_EL1$/,
  ...Object.fromEntries(KEYS.map((key) => [key, halvesOf(key)])),
  DBGCLAIM: /^DBGCLAIM(SET|CLR)_EL1$/,
};

const field = (bit: number, name: string, only?: RegisterMove, feature?: FeatureName): MoveTrap => ({
  bit,
  name,
  registers: SEVERAL[name] ?? new RegExp(`^${name}$`),
  only,
  feature,
});

const READ = "read", WRITE = "write", BOTH = undefined;

/** Of HFGRTR_EL2 and HFGWTR_EL2. */
const REGISTERS: readonly MoveTrap[] = [
  field(0, "AFSR0_EL1"),
  field(1, "AFSR1_EL1"),
  field(2, "AIDR_EL1", READ),
  field(3, "AMAIR_EL1"),
  ...KEYS.map((name, index) => field(4 + index, name, BOTH, "FEAT_PAuth")),
  field(9, "CCSIDR_EL1", READ),
  field(10, "CLIDR_EL1", READ),
  field(11, "CONTEXTIDR_EL1"),
  field(12, "CPACR_EL1"),
  field(13, "CSSELR_EL1"),
  field(14, "CTR_EL0", READ),
  field(15, "DCZID_EL0", READ),
  field(16, "ESR_EL1"),
  field(17, "FAR_EL1"),
  field(18, "ISR_EL1", READ),
  field(19, "LORC_EL1", BOTH, "FEAT_LOR"),
  field(20, "LOREA_EL1", BOTH, "FEAT_LOR"),
  field(21, "LORID_EL1", READ, "FEAT_LOR"),
  field(22, "LORN_EL1", BOTH, "FEAT_LOR"),
  field(23, "LORSA_EL1", BOTH, "FEAT_LOR"),
  field(24, "MAIR_EL1"),
  field(25, "MIDR_EL1", READ),
  field(26, "MPIDR_EL1", READ),
  field(27, "PAR_EL1"),
  field(28, "REVIDR_EL1", READ),
  field(29, "SCTLR_EL1"),
  field(32, "TCR_EL1"),
  field(33, "TPIDR_EL1"),
  field(34, "TPIDRRO_EL0"),
  field(35, "TPIDR_EL0"),
  field(36, "TTBR0_EL1"),
  field(37, "TTBR1_EL1"),
  field(38, "VBAR_EL1"),
  field(39, "ICC_IGRPENn_EL1"),
  field(40, "ERRIDR_EL1", READ, "FEAT_RAS"),
  field(41, "ERRSELR_EL1", BOTH, "FEAT_RAS"),
  field(42, "ERXFR_EL1", READ, "FEAT_RAS"),
  field(43, "ERXCTLR_EL1", BOTH, "FEAT_RAS"),
  field(44, "ERXSTATUS_EL1", BOTH, "FEAT_RAS"),
  field(45, "ERXMISCn_EL1", BOTH, "FEAT_RAS"),
  field(46, "ERXPFGF_EL1", READ, "FEAT_RASv1p1"),
  field(47, "ERXPFGCTL_EL1", BOTH, "FEAT_RASv1p1"),
  field(48, "ERXPFGCDN_EL1", BOTH, "FEAT_RASv1p1"),
  field(49, "ERXADDR_EL1", BOTH, "FEAT_RAS"),
];

/** Of HDFGRTR_EL2 and HDFGWTR_EL2. */
const DEBUG: readonly MoveTrap[] = [
  field(0, "DBGBCRn_EL1"),
  field(1, "DBGBVRn_EL1"),
  field(2, "DBGWCRn_EL1"),
  field(3, "DBGWVRn_EL1"),
  field(4, "MDSCR_EL1"),
  field(5, "DBGCLAIM"),
  field(6, "DBGAUTHSTATUS_EL1", READ),
  field(7, "DBGPRCR_EL1"),
  field(8, "OSLAR_EL1", WRITE),
  field(9, "OSLSR_EL1", READ),
  field(10, "OSECCR_EL1"),
  field(11, "OSDLR_EL1"),
];

/** The register whose fields trap an access, and its fields. */
const MOVES: readonly (readonly [register: FineTrapRegister, direction: RegisterMove, fields: readonly MoveTrap[]])[] = [
  ["HFGRTR_EL2", READ, REGISTERS.filter(({ only }) => only !== WRITE)],
  ["HFGWTR_EL2", WRITE, REGISTERS.filter(({ only }) => only !== READ)],
  ["HDFGRTR_EL2", READ, DEBUG.filter(({ only }) => only !== WRITE)],
  ["HDFGWTR_EL2", WRITE, DEBUG.filter(({ only }) => only !== READ)],
];

/** A field of HFGITR_EL2. */
interface InstructionTrap extends TrapField {
  /** Undefined: it traps no SYS instruction. */
  readonly sys?: SysFields;
}

const TLBI_CRN = 8;
/** CRn of the forms of FEAT_XS, whose fields are those of the plain forms. */
const TLBI_NXS_CRN = 9;
/** TLBI by op2; the field of each is one higher than that of the one before. */
const TLBI = [["VMALLE1", 0], ["VAE1", 1], ["ASIDE1", 2], ["VAAE1", 3], ["VALE1", 5], ["VAALE1", 7]] as const;

const tlbi = (first: number, suffix: string, crm: number, feature?: FeatureName): readonly InstructionTrap[] =>
  TLBI.map(([name, op2], index) => ({ bit: first + index, name: `TLBI${name}${suffix}`, sys: [0, TLBI_CRN, crm, op2], feature }));

/** The same of ranges: RVAE1, RVAAE1, RVALE1, RVAALE1. */
const rangeTlbi = (first: number, suffix: string, crm: number): readonly InstructionTrap[] =>
  TLBI.filter(([name]) => name.startsWith("VA")).map(([name, op2], index) => (
    { bit: first + index, name: `TLBIR${name}${suffix}`, sys: [0, TLBI_CRN, crm, op2], feature: "FEAT_TLBIRANGE" }
  ));

const INSTRUCTIONS: readonly InstructionTrap[] = [
  { bit: 0, name: "ICIALLUIS", sys: [0, 7, 1, 0] },
  { bit: 1, name: "ICIALLU", sys: [0, 7, 5, 0] },
  { bit: 2, name: "ICIVAU", sys: [3, 7, 5, 1] },
  { bit: 3, name: "DCIVAC", sys: [0, 7, 6, 1] },
  { bit: 4, name: "DCISW", sys: [0, 7, 6, 2] },
  { bit: 5, name: "DCCSW", sys: [0, 7, 10, 2] },
  { bit: 6, name: "DCCISW", sys: [0, 7, 14, 2] },
  { bit: 7, name: "DCCVAU", sys: [3, 7, 11, 1] },
  { bit: 8, name: "DCCVAP", sys: [3, 7, 12, 1] },
  { bit: 9, name: "DCCVADP", sys: [3, 7, 13, 1], feature: "FEAT_DPB2" },
  { bit: 10, name: "DCCIVAC", sys: [3, 7, 14, 1] },
  { bit: 11, name: "DCZVA", sys: [3, 7, 4, 1] },
  { bit: 12, name: "ATS1E1R", sys: [0, 7, 8, 0] },
  { bit: 13, name: "ATS1E1W", sys: [0, 7, 8, 1] },
  { bit: 14, name: "ATS1E0R", sys: [0, 7, 8, 2] },
  { bit: 15, name: "ATS1E0W", sys: [0, 7, 8, 3] },
  { bit: 16, name: "ATS1E1RP", sys: [0, 7, 9, 0], feature: "FEAT_PAN2" },
  { bit: 17, name: "ATS1E1WP", sys: [0, 7, 9, 1], feature: "FEAT_PAN2" },
  ...tlbi(18, "OS", 1, "FEAT_TLBIOS"),
  ...rangeTlbi(24, "OS", 5),
  ...tlbi(28, "IS", 3),
  ...rangeTlbi(34, "IS", 2),
  ...rangeTlbi(38, "", 6),
  ...tlbi(42, "", 7),
  { bit: 51, name: "ERET" },
  { bit: 52, name: "SVC_EL0" },
  { bit: 53, name: "SVC_EL1" },
  { bit: 54, name: "DCCVAC", sys: [3, 7, 10, 1] },
];

/** A field: its register, its name there, and its bit. */
export interface FineTrap {
  readonly register: FineTrapRegister;
  readonly name: string;
  readonly mask: bigint;
}

const trap = (register: FineTrapRegister, { bit, name }: TrapField): FineTrap => ({ register, name, mask: 1n << BigInt(bit) });

/** The field that traps an access to a register; undefined if there is none. */
export function fineTrapOfMove(name: string, direction: RegisterMove): FineTrap | undefined {
  for (const [register, of, fields] of MOVES) {
    const found = of === direction ? fields.find(({ registers }) => registers.test(name)) : undefined;
    if (found) return trap(register, found);
  }
  return undefined;
}

/** The field that traps a SYS instruction; undefined if there is none. */
export function fineTrapOfSys([op1, crn, crm, op2]: SysFields): FineTrap | undefined {
  const plain = [op1, crn === TLBI_NXS_CRN ? TLBI_CRN : crn, crm, op2].join();
  const found = INSTRUCTIONS.find(({ sys }) => sys?.join() === plain);
  return found && trap("HFGITR_EL2", found);
}

/** The field of this name that traps an instruction. */
export function fineTrapNamed(name: "ERET" | "SVC_EL0" | "SVC_EL1" | "DCZVA"): FineTrap {
  const found = INSTRUCTIONS.find((one) => one.name === name);
  if (!found) throw new Error(`HFGITR_EL2 has no field ${name}`);
  return trap("HFGITR_EL2", found);
}

/** The bits of a register that a CPU has. */
export function fineTrapBits(register: FineTrapRegister, features: ReadonlySet<FeatureName>): bigint {
  const fields: readonly TrapField[] = register === "HFGITR_EL2" ? INSTRUCTIONS : MOVES.find(([name]) => name === register)?.[2] ?? [];
  return fields.filter(({ feature }) => feature === undefined || features.has(feature))
    .reduce((bits, { bit }) => bits | 1n << BigInt(bit), 0n);
}
