// The sizes of pages and of address spaces that stage 1 of a CPU has: TCR_EL1.TG0, TG1, T0SZ, T1SZ,
// DS. Arm ARM D8.2.

import type { FeatureName } from "./features.ts";

/** log2 of the bytes of a page. */
export type PageShift = 12 | 14 | 16;

/** The sizes that stage 1 of a CPU can have. */
export interface AddressSizes {
  readonly granules: readonly PageShift[];
  /** Whether TCR_EL1.DS gives tables of pages of 4 and 16 KiB addresses of 52 bits (FEAT_LPA2). */
  readonly hasWideTables: boolean;
  /** Whether all translations with a TxSZ below the least fault (FEAT_LVA). */
  readonly refusesLess: boolean;
  /**
   * The least and the greatest TxSZ with such pages: others count as these.
   * @param wide whether TCR_EL1.DS is set
   */
  limits(granule: PageShift, wide: boolean): readonly [least: number, greatest: number];
}

/** The sizes of a CPU with these features. */
export function addressSizesOf(features: ReadonlySet<FeatureName>): AddressSizes {
  const hasWideTables = features.has("FEAT_LPA2"), refusesLess = features.has("FEAT_LVA");
  return {
    granules: [12, ...features.has("FEAT_TGran16K") ? [14 as const] : [], ...features.has("FEAT_TGran64K") ? [16 as const] : []],
    hasWideTables,
    refusesLess,
    limits: (granule, wide) => {
      const least = granule === 16 ? refusesLess : wide && hasWideTables;
      return [least ? 12 : 16, !features.has("FEAT_TTST") ? 39 : granule === 16 ? 47 : 48];
    },
  };
}
