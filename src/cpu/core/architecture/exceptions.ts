// Exceptions as the architecture encodes them: syndromes, fault status codes, PSTATE and vector
// offsets. Arm ARM D13.2.37 (ESR_ELx), C5.2.18 (SPSR_EL1), D1.10.2 (vectors). The entry itself is
// in `exceptions/exception-entry.ts`.

import type { FeatureName } from "../../isa/cpus/features.ts";

/** ESR_ELx.EC, bits 31:26. */
export const ExceptionClass = {
  Unknown: 0x00,
  Wfx: 0x01,
  /** FP or AdvSIMD that CPACR_EL1.FPEN traps. */
  FpAccess: 0x07,
  /** An indirect branch to an instruction that does not permit it (FEAT_BTI). */
  BranchTarget: 0x0d,
  IllegalState: 0x0e,
  Svc: 0x15,
  Hvc: 0x16,
  Smc: 0x17,
  /** MSR, MRS or SYS. */
  SystemRegister: 0x18,
  /** The use of a key that EL2 traps (FEAT_PAuth). */
  PointerUse: 0x09,
  /** ERET of EL1 that EL2 traps (FEAT_FGT). */
  ExceptionReturn: 0x1a,
  /** An authentication that failed (FEAT_FPAC). */
  PointerAuthentication: 0x1c,
  InstructionAbortLower: 0x20,
  InstructionAbort: 0x21,
  PcAlignment: 0x22,
  DataAbortLower: 0x24,
  DataAbort: 0x25,
  SpAlignment: 0x26,
  /** A part of a memory copy or set that does not continue the one before it (FEAT_MOPS). */
  MemoryOperation: 0x27,
  SError: 0x2f,
  BreakpointLower: 0x30,
  Breakpoint: 0x31,
  SoftwareStepLower: 0x32,
  SoftwareStep: 0x33,
  WatchpointLower: 0x34,
  Watchpoint: 0x35,
  Brk: 0x3c,
} as const;

/** The immediate of an HLT that is a semihosting call (`machine/abi/semihosting.ts`). */
export const SEMIHOSTING_IMMEDIATE = 0xf000;

/** Fault status codes (DFSC, IFSC); those with a level have it in bits 1:0. */
export const FaultStatus = {
  AddressSize: 0x00,
  Translation: 0x04,
  AccessFlag: 0x08,
  Permission: 0x0c,
  External: 0x10,
  ExternalOnWalk: 0x14,
  Alignment: 0x21,
} as const;

/** The kinds of faults that a table of level -1 can have, and their codes there (FEAT_LPA2). */
export const LEVEL_BELOW_0 = [
  [FaultStatus.AddressSize, 0x29],
  [FaultStatus.Translation, 0x2b],
  [FaultStatus.ExternalOnWalk, 0x13],
] as const;

const FAULT_LEVEL = 3;

/** A fault status code without its level, and that. Those that have none are of level 0. */
export function faultOf(status: number): { readonly kind: number; readonly level: number } {
  const below = LEVEL_BELOW_0.find(([, code]) => code === status);
  return below ? { kind: below[0], level: -1 } : { kind: status & ~FAULT_LEVEL, level: status & FAULT_LEVEL };
}

/** The code of a fault at a level. */
export function faultStatus(kind: number, level: number): number {
  return level >= 0 ? kind | level : LEVEL_BELOW_0.find(([code]) => code === kind)?.[1] ?? kind;
}

/** Bits of the ISS of aborts. */
export const AbortSyndrome = {
  FscMask: 0x3f,
  /** The access was a write. */
  WnR: 1 << 6,
  /** A stage-2 fault on a stage-1 table walk. */
  S1ptw: 1 << 7,
  /** Cache maintenance. */
  Cm: 1 << 8,
  /** Acquire or release. */
  Ar: 1 << 14,
  /** The register is 64 bits wide. */
  Sf: 1 << 15,
  /** Number of the register, 5 bits from here. */
  SrtShift: 16,
  /** The load sign-extends. */
  Sse: 1 << 21,
  /** log2 of the access size, 2 bits from here. */
  SasShift: 22,
  /** Bits 23:14 are valid. */
  Isv: 1 << 24,
} as const;

/** ESR_ELx.IL: a 32-bit instruction, or a class for which it is set always. */
export const ESR_IL = 1 << 25;

/** ISS of classes that report a condition: CV set, COND always. */
export const ISS_COND_ALWAYS = 0x1e00000;

/** A syndrome with IL set, as an unsigned 32-bit number. */
export function syndrome(exceptionClass: number, iss: number): number {
  return (exceptionClass << 26 | ESR_IL | iss) >>> 0;
}

/** ESR_ELx.EC of a syndrome. */
export const exceptionClass = (esr: number): number => esr >>> 26;

/** PSTATE as SPSR_ELx holds it (AArch64). */
export const Pstate = {
  N: 0x80000000,
  Z: 0x40000000,
  C: 0x20000000,
  V: 0x10000000,
  Nzcv: 0xf0000000,
  SS: 1 << 21,
  PAN: 1 << 22,
  /** LDTR and STTR of EL1 are checked as LDR and STR (FEAT_UAO). */
  UAO: 1 << 23,
  SSBS: 1 << 12,
  /** The type of the branch that leads to the next instruction, 2 bits. */
  BTYPE: 3 << 10,
  DIT: 1 << 24,
  IL: 1 << 20,
  D: 1 << 9,
  A: 1 << 8,
  I: 1 << 7,
  F: 1 << 6,
  Daif: 0x3c0,
  /** AArch32 in SPSR_ELx.M. */
  Aarch32: 1 << 4,
  /** EL in bits 3:2. */
  ElMask: 0xc,
  /** SP_ELx rather than SP_EL0. */
  SP: 1,
  EL0t: 0x0,
  EL1: 0x4,
  EL1t: 0x4,
  EL1h: 0x5,
  EL2: 0x8,
  EL2t: 0x8,
  EL2h: 0x9,
  Mode: 0x1f,
} as const;

/** Fields of PSTATE that features add: exceptions save them, and returns restore them. */
export function extendedPstate(features: ReadonlySet<FeatureName>): number {
  const fields = [["FEAT_UAO", Pstate.UAO], ["FEAT_DIT", Pstate.DIT], ["FEAT_SSBS", Pstate.SSBS], ["FEAT_BTI", Pstate.BTYPE]] as const;
  return fields.reduce((bits, [feature, field]) => features.has(feature) ? bits | field : bits, 0);
}

/** Offsets from VBAR_EL1. */
export const Vector = {
  /** Source of the exception. */
  CurrentSp0: 0x000,
  CurrentSpx: 0x200,
  LowerAarch64: 0x400,
  /** Kind, added to the source. */
  Synchronous: 0x000,
  Irq: 0x080,
  Fiq: 0x100,
  SError: 0x180,
} as const;

/** Bits of SCTLR_EL1 that the core obeys. */
export const Sctlr = {
  M: 1 << 0,
  A: 1 << 1,
  SA: 1 << 3,
  SA0: 1 << 4,
  /** Acquires and releases may cross a boundary of 16 bytes (FEAT_LSE2). */
  nAA: 1 << 6,
  UMA: 1 << 9,
  /** EL0 may use CFP, DVP and CPP (FEAT_SPECRES). */
  EnRCTX: 1 << 10,
  /** The keys in use (FEAT_PAuth). */
  EnDB: 1 << 13,
  EnDA: 1 << 27,
  EnIB: 1 << 30,
  EnIA: 1 << 31,
  DZE: 1 << 14,
  UCT: 1 << 15,
  NTWI: 1 << 16,
  NTWE: 1 << 18,
  WXN: 1 << 19,
  /** EL0 has no SCXTNUM_EL0 (FEAT_CSV2_2); RES1 without the feature. */
  TSCXT: 1 << 20,
  SPAN: 1 << 23,
  UCI: 1 << 26,
  /** Value at reset: the RES1 bits, LSMAOE, nTLSMD and SPAN. */
  Reset: 0x30d00800,
  /** Of SCTLR_EL2: the RES1 bits. */
  ResetEl2: 0x30c50830,
} as const;

/** The bit of SCTLR_EL1 that PSTATE.SSBS becomes at an exception (DSSBS). */
export const SCTLR_DSSBS_SHIFT = 44;

/**
 * The bits of SCTLR_EL1 with which PACIASP refuses branches by BR, at EL0 and at EL1 (BT0, BT1).
 */
export const SCTLR_BT_SHIFTS = [35, 36] as const;

/** SCTLR_EL1.MSCEn: EL0 may copy and set memory (FEAT_MOPS). */
export const SCTLR_MSCEN_SHIFT = 33;

/** SCTLR_EL1.EPAN: PSTATE.PAN also denies pages that EL0 may only execute (FEAT_PAN3). */
export const SCTLR_EPAN_SHIFT = 57;

/** Bytes that SP is aligned to where it is the base of an access. */
export const SP_ALIGNMENT = 16;

/** MDSCR_EL1. */
export const Mdscr = { SS: 1 << 0, TDCC: 1 << 12, KDE: 1 << 13, MDE: 1 << 15 } as const;
