// The core's constants that guests can read: caches, timers. docs/design/decisions.md §9; Arm ARM
// D13.2 (field values). The ID registers that depend on the CPU are in
// cpu/isa/cpus/identification.ts.

/** A register made of fields: [lowest bit, value]. */
function fields(...values: [bit: number, value: bigint | number][]): bigint {
  return values.reduce((word, [bit, value]) => word | BigInt(value) << BigInt(bit), 0n);
}

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
/** DCZID_EL0.DZP: DC ZVA is prohibited. */
export const DCZID_DZP_SHIFT = 4;

/**
 * CLIDR_EL1: separate L1 caches, unified L2, coherent at L2 (LoC 2), nothing to clean for
 * unification.
 */
export const CLIDR_EL1 = fields([0, 3], [3, 4], [24, 2]);

/** A cache with lines of 64 bytes. */
interface Cache {
  readonly sets: number;
  readonly ways: number;
}

/**
 * Caches by the value of CSSELR_EL1 (level - 1 at 3:1, instruction cache at 0); CCSIDR_EL1 reads as
 * zero for others.
 */
export const CACHES: readonly Cache[] = [{ sets: 128, ways: 4 }, { sets: 128, ways: 4 }, { sets: 1024, ways: 16 }];

/** CCSIDR_EL1 of a cache: sets - 1 at 27:13, ways - 1 at 12:3, log2(line / 16) at 2:0. */
export const ccsidr = ({ sets, ways }: Cache): bigint => fields([0, 2], [3, ways - 1], [13, sets - 1]);

/** The same with FEAT_CCIDX: sets - 1 at 55:32, ways - 1 at 23:3. */
export const wideCcsidr = ({ sets, ways }: Cache): bigint => fields([0, 2], [3, ways - 1], [32, sets - 1]);

/** CNTFRQ_EL0 in Hz. */
export const CNTFRQ_EL0 = 62_500_000n;

/** Nanoseconds of one tick of the counters. */
export const TICK_NS = 16;
