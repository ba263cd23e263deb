// The sizes of pages and of address spaces that stage 1 of a CPU has: TCR_EL1.TG0, TG1, T0SZ, T1SZ.
// Arm ARM D8.2.

import type { FeatureName } from "./features.ts";

/** log2 of the bytes of a page. */
export type PageShift = 12 | 14 | 16;

/** The sizes that stage 1 of a CPU can have. */
export interface AddressSizes {
  readonly granules: readonly PageShift[];
  /** The least and the greatest TxSZ with such pages: others count as these. */
  limits(granule: PageShift): readonly [least: number, greatest: number];
}

/** The sizes of a CPU with these features. */
export function addressSizesOf(features: ReadonlySet<FeatureName>): AddressSizes {
  return {
    granules: [12, ...features.has("FEAT_TGran16K") ? [14 as const] : [], ...features.has("FEAT_TGran64K") ? [16 as const] : []],
    limits: (granule) => {
      const least = granule === 16 && features.has("FEAT_LVA") ? 12 : 16;
      return [least, !features.has("FEAT_TTST") ? 39 : granule === 16 ? 47 : 48];
    },
  };
}
