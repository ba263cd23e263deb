// TCR_EL1: the fields that stage 1, pointer authentication and debuggers share, and the sizes of
// pages that it can ask for. Arm ARM D5.2.3, D13.2.131. A value for a size that the CPU does not
// have counts as 4 KiB. TCR_EL2 of a regime without EL0 has some of them elsewhere (D13.2.132).

import { addressSizesOf, type PageShift } from "../../isa/cpus/address-sizes.ts";
import type { FeatureName } from "../../isa/cpus/features.ts";

/** Fields; those of TTBR1 are 16 bits above those of TTBR0, single bits from TBI on one bit. */
export const Tcr = {
  SizeMask: 0x3f,
  EpdShift: 7,
  /** Shareability of the memory, with DS. */
  Sh0Shift: 12,
  Tg0Shift: 14,
  HalfShift: 16,
  Tg1Shift: 30,
  IpsShift: 32,
  Tbi0Shift: 37,
  /** The hardware manages access flags, and dirty state (FEAT_HAFDBS). */
  HA: 1n << 39n,
  HD: 1n << 40n,
  Hpd0Shift: 41,
  Tbid0Shift: 51,
  E0pd0Shift: 55,
  /** Tables of pages of 4 and 16 KiB have addresses of 52 bits (FEAT_LPA2). */
  DS: 1n << 59n,
} as const;

/** TCR_EL2 without E2H: fields that are where those of TCR_EL1 are, T0SZ and IRGN0 to TG0. */
export const SAME_FIELDS = 0xff3fn;
/** TCR_EL1.EPD1. */
export const NO_UPPER_HALF = 1n << BigInt(Tcr.EpdShift + Tcr.HalfShift);
/** PS, TBI, HA, HD, HPD, TBID, which are elsewhere: lowest bit, mask, lowest bit in TCR_EL1. */
export const MOVED_FIELDS = [
  ...[[16, 7, Tcr.IpsShift], [20, 1, Tcr.Tbi0Shift], [21, 1, 39], [22, 1, 40], [24, 1, Tcr.Hpd0Shift]] as const,
  [29, 1, Tcr.Tbid0Shift] as const,
];

/** TCR_EL2 without E2H as a TCR_EL1 whose upper half is disabled. */
export function tcrOfSingle(tcr: bigint): bigint {
  const moved = MOVED_FIELDS.map(([from, mask, to]) => (tcr >> BigInt(from) & BigInt(mask)) << BigInt(to));
  return moved.reduce((sum, field) => sum | field, tcr & SAME_FIELDS | NO_UPPER_HALF);
}

/** A size of pages that stage 1 may have besides 4 KiB. */
export interface Granule {
  /** log2 of the bytes of a page, and of a table. */
  readonly shift: PageShift;
  /** Values of TG0 and TG1 that choose it. */
  readonly tg0: number;
  readonly tg1: number;
}

const GRANULES: readonly Granule[] = [{ shift: 14, tg0: 2, tg1: 1 }, { shift: 16, tg0: 1, tg1: 3 }];

/** The granules besides 4 KiB that a CPU has. */
export function granulesOf(features: ReadonlySet<FeatureName>): Granule[] {
  const { granules } = addressSizesOf(features);
  return GRANULES.filter(({ shift }) => granules.includes(shift));
}
