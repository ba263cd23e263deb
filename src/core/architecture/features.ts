// The core's identity: identification registers whose values follow from what it implements, and no
// more than that. docs/design/decisions.md §9; Arm ARM D13.2 (field values). The ID registers of
// group 3 are trapped: the hypervisor's tables answer them from `IDENTIFICATION`; the others are
// read inside the core.

/** A register made of fields: [lowest bit, value]. */
function fields(...values: [bit: number, value: bigint | number][]): bigint {
  return values.reduce((word, [bit, value]) => word | BigInt(value) << BigInt(bit), 0n);
}

const NOT_IMPLEMENTED = 0xf;

/**
 * Breakpoints, the last two of which compare contexts as well, and watchpoints (ID_AA64DFR0_EL1).
 */
export const BREAKPOINTS = 6, CONTEXT_BREAKPOINTS = 2, WATCHPOINTS = 4;

/** The ID registers of group 3 (op0 3, op1 0, CRn 0, CRm 4 to 7) that are not zero. */
export const IDENTIFICATION = {
  /**
   * AArch64 only at EL0 and EL1 (1); FP (19:16) and AdvSIMD (23:20) without half precision (0); GIC
   * (27:24) by system registers; CSV2 (59:56) and CSV3 (63:60): no speculation to protect from,
   * which spares page-table isolation.
   */
  ID_AA64PFR0_EL1: fields([0, 1], [4, 1], [24, 1], [56, 1], [60, 1]),
  /**
   * DebugVer 6; breakpoints (15:12), watchpoints (23:20) and breakpoints that compare contexts
   * (31:28), less one; no PMU, no trace.
   */
  ID_AA64DFR0_EL1: fields([0, 6], [12, BREAKPOINTS - 1], [20, WATCHPOINTS - 1], [28, CONTEXT_BREAKPOINTS - 1]),
  /**
   * AES with PMULL (7:4, value 2), SHA-1 (11:8), SHA-256 (15:12), CRC32 (19:16), LSE atomics
   * (23:20, value 2), RDM (31:28).
   */
  ID_AA64ISAR0_EL1: fields([4, 2], [8, 1], [12, 1], [16, 1], [20, 2], [28, 1]),
  /** DC CVAP (3:0), LDAPR (23:20). */
  ID_AA64ISAR1_EL1: fields([0, 1], [20, 1]),
  /**
   * PA range 36 bits (3:0), ASIDs of 16 bits (7:4), no 16 KiB (23:20 is 0) and no 64 KiB granule
   * (27:24), 4 KiB (31:28 is 0).
   */
  ID_AA64MMFR0_EL1: fields([0, 1], [4, 2], [24, NOT_IMPLEMENTED]),
  /** PAN (23:20) without the AT instructions of PAN2. */
  ID_AA64MMFR1_EL1: fields([20, 1]),
} as const;

/**
 * PARange of ID_AA64MMFR0_EL1 in bits: output addresses of stage 1 are below 2^36, unless the
 * address space has IPAs of 40 bits.
 */
export const PHYSICAL_ADDRESS_BITS = 36;

/**
 * CTR_EL0: lines of 64 bytes, PIPT instruction cache, IDC and DIC: no maintenance is needed for
 * instructions to be seen.
 */
export const CTR_EL0 = fields([0, 4], [14, 3], [16, 4], [20, 4], [24, 4], [28, 1], [29, 1], [31, 1]);

/** DCZID_EL0: DC ZVA writes 4 << 4 bytes and is permitted. */
export const DCZID_EL0 = 4n;

/**
 * CLIDR_EL1: separate L1 caches, unified L2, coherent at L2 (LoC 2), nothing to clean for
 * unification.
 */
export const CLIDR_EL1 = fields([0, 3], [3, 4], [24, 2]);

/** CCSIDR_EL1 of a cache: sets - 1 at 27:13, ways - 1 at 12:3, log2(line / 16) at 2:0. */
const cache = (sets: number, ways: number) => fields([0, 2], [3, ways - 1], [13, sets - 1]);

/**
 * CCSIDR_EL1 by the value of CSSELR_EL1 (level - 1 at 3:1, instruction cache at 0); others read as
 * zero.
 */
export const CCSIDR_EL1: readonly bigint[] = [cache(128, 4), cache(128, 4), cache(1024, 16)];

/** CNTFRQ_EL0 in Hz. */
export const CNTFRQ_EL0 = 62_500_000n;

/** Nanoseconds of one tick of the counters. */
export const TICK_NS = 16;
