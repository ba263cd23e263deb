// Registers with which EL2 controls EL1 and EL0: HCR_EL2, CPTR_EL2, CNTHCTL_EL2, VTCR_EL2. Arm ARM
// D13.2.46 (HCR_EL2), D13.2.32 (CPTR_EL2), D13.8.2 (CNTHCTL_EL2), D13.2.151 (VTCR_EL2).

/** HCR_EL2. */
export const Hcr = {
  /** Stage 2 is on. */
  VM: 1n << 0n,
  SWIO: 1n << 1n,
  /** Walks of stage 1 fault in Device memory of stage 2. */
  PTW: 1n << 2n,
  /** Physical FIQ, IRQ and SError go to EL2; the virtual ones exist. */
  FMO: 1n << 3n,
  IMO: 1n << 4n,
  AMO: 1n << 5n,
  /** Virtual FIQ, IRQ and SError are pending. */
  VF: 1n << 6n,
  VI: 1n << 7n,
  VSE: 1n << 8n,
  /** Broadcast and barriers of EL1 reach further: all are as wide as can be. */
  FB: 1n << 9n,
  BSU: 3n << 10n,
  /** With stage 1 off, memory is Normal write-back; VM counts as set, SCTLR_EL1.M as clear. */
  DC: 1n << 12n,
  /** Traps: WFI, WFE; groups of ID registers; SMC; what is implementation defined; ACTLR_EL1. */
  TWI: 1n << 13n,
  TWE: 1n << 14n,
  TID0: 1n << 15n,
  TID1: 1n << 16n,
  TID2: 1n << 17n,
  TID3: 1n << 18n,
  TSC: 1n << 19n,
  TIDCP: 1n << 20n,
  TACR: 1n << 21n,
  /** Traps of cache maintenance: by set and way, to coherency, to unification; of TLBI. */
  TSW: 1n << 22n,
  TPCP: 1n << 23n,
  TPU: 1n << 24n,
  TTLB: 1n << 25n,
  /** Traps of writes of the registers of stage 1. */
  TVM: 1n << 26n,
  /** Exceptions of EL0 go to EL2. */
  TGE: 1n << 27n,
  TDZ: 1n << 28n,
  /** Traps of reads of the registers of stage 1. */
  TRVM: 1n << 30n,
  /** EL1 is AArch64. */
  RW: 1n << 31n,
  /** Data, instructions are not cacheable for stage 2: caches have no effect here. */
  CD: 1n << 32n,
  ID: 1n << 33n,
  /** EL2 is a host: the regime of EL2 is EL2&0 (FEAT_VHE). */
  E2H: 1n << 34n,
  /** Traps of accesses to the registers of LORegions (FEAT_LOR), of errors (FEAT_RAS). */
  TLOR: 1n << 35n,
  TERR: 1n << 36n,
  /** External aborts go to EL2 (FEAT_RAS). */
  TEA: 1n << 37n,
  /** Without them, accesses to the keys, and the use of keys that are on, trap (FEAT_PAuth). */
  APK: 1n << 40n,
  API: 1n << 41n,
} as const;

/** Bits of HCR_EL2 each of which turns stage 2 on. */
export const STAGE2_ON = Hcr.VM | Hcr.DC;

/** CPTR_EL2 in its two forms: without and with HCR_EL2.E2H. */
export const Cptr = {
  /** Floating point and AdvSIMD trap. */
  TFP: 1n << 10n,
  TTA: 1n << 20n,
  /** Both forms: accesses to CPACR_EL1 trap. */
  TCPAC: 1n << 31n,
  FPENShift: 20,
  FPEN: 3n << 20n,
  HostTTA: 1n << 28n,
  /** Without E2H: bits that are one. */
  Res1: 0x33ffn,
} as const;

/** CNTHCTL_EL2 without E2H; with it, the first two are 10 bits higher, and EL0's controls lower. */
export const Cnthctl = {
  /** EL1 and EL0 may read the physical counter, access the physical timer. */
  EL1PCTEN: 1 << 0,
  EL1PCEN: 1 << 1,
  HostShift: 10,
} as const;

/** VTCR_EL2: fields that TCR_EL1 has in other places, or not. */
export const Vtcr = {
  SizeMask: 0x3f,
  Sl0Shift: 6,
  Tg0Shift: 14,
  PsShift: 16,
  /** VMIDs have 16 bits. */
  VS: 1n << 19n,
  Res1: 1n << 31n,
  /** T0SZ to VS: those of hardware management of tables are FEAT_HAFDBS's. */
  Bits: 0xfffffn,
} as const;

/** MDCR_EL2. */
export const Mdcr = {
  /** Traps: of PMCR_EL0, of all performance monitors. */
  TPMCR: 1n << 5n,
  TPM: 1n << 6n,
  /** Debug exceptions go to EL2. */
  TDE: 1n << 8n,
  /** Traps: debug registers, those of the OS lock, those of the ROM table. */
  TDA: 1n << 9n,
  TDOSA: 1n << 10n,
  TDRA: 1n << 11n,
  /** Traps of the debug communications channel (FEAT_FGT). */
  TDCC: 1n << 27n,
} as const;
