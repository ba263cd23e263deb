// The sizes of pages that stage 1 can have beside 4 KiB, and which of them TCR_EL1 asks for. Arm
// ARM D5.2.3; D13.2.131 (TCR_EL1). A value for a size that the CPU does not have counts as 4 KiB.

import { addressSizesOf } from "../../isa/address-sizes.ts";
import type { FeatureName } from "../../isa/features.ts";
import { Tcr } from "../architecture/translation-control.ts";
import { type Code, constant, type Local, type Value } from "../wasm/expression.ts";
import { PAGE_SHIFT } from "../../support/sizes.ts";

/** log2 of the bytes of the largest pages. */
const LARGE_PAGE_SHIFT = 16;

/** TCR_EL1.TG0 and TG1. */
const TG0_SHIFT = 14, TG1_SHIFT = 30;

/** A size of pages that stage 1 may have beside 4 KiB. */
export interface Granule {
  readonly feature: FeatureName;
  /** log2 of the bytes of a page, and of a table. */
  readonly shift: number;
  /** Values of TG0 and TG1 that choose it. */
  readonly tg0: number;
  readonly tg1: number;
}

/** The granules of 16 and 64 KiB. */
export const GRANULES: readonly Granule[] = [
  { feature: "FEAT_TGran16K", shift: 14, tg0: 2, tg1: 1 },
  { feature: "FEAT_TGran64K", shift: 16, tg0: 1, tg1: 3 },
];

/** log2 of the bytes of a page of one half of the address space; `high` is 0 or 1. */
export function granuleShift(c: Code, tcr: Value, high: Value, granules: readonly Granule[]): Local {
  const shift = c.let(constant("i32", PAGE_SHIFT));
  if (!granules.length) return shift;
  const field = c.let(tcr.shrU(high.select(constant("i64", TG1_SHIFT), TG0_SHIFT)).wrap().and(3));
  for (const { shift: size, tg0, tg1 } of granules) {
    c.if(field.eq(high.select(constant("i32", tg1), tg0)), () => c.set(shift, size));
  }
  return shift;
}

/**
 * Bits of addresses in one half of the address space, from the half of TCR_EL1 with its TxSZ.
 * @param page log2 of the bytes of its pages
 */
export function inputBits(c: Code, half: Value, page: Value, features: ReadonlySet<FeatureName>): Local {
  const tsz = c.let(half.and(Tcr.SizeMask)), sizes = addressSizesOf(features);
  const [least, greatest] = ([0, 1] as const).map((end) => {
    const small = sizes.limits(PAGE_SHIFT)[end], large = sizes.limits(LARGE_PAGE_SHIFT)[end];
    return small === large ? constant("i32", small) : page.eq(LARGE_PAGE_SHIFT).select(constant("i32", large), small);
  });
  c.if(tsz.ltU(least), () => c.set(tsz, least));
  c.if(tsz.gtU(greatest), () => c.set(tsz, greatest));
  return c.let(constant("i32", 64).sub(tsz));
}

/** The granules beside 4 KiB that a CPU has. */
export const granulesOf = (features: ReadonlySet<FeatureName>): Granule[] => GRANULES.filter(({ feature }) => features.has(feature));
