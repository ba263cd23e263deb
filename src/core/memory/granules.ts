// The sizes of pages and of addresses that TCR_EL1 asks for, computed by Wasm code.

import { addressSizesOf } from "../../isa/address-sizes.ts";
import type { FeatureName } from "../../isa/features.ts";
import { type Granule, Tcr } from "../architecture/translation-control.ts";
import { type Code, constant, type Local, type Value } from "../wasm/expression.ts";
import { PAGE_SHIFT } from "../../support/sizes.ts";

/** log2 of the bytes of the largest pages. */
const LARGE_PAGE_SHIFT = 16;

/** log2 of the bytes of a page of one half of the address space; `high` is 0 or 1. */
export function granuleShift(c: Code, tcr: Value, high: Value, granules: readonly Granule[]): Local {
  const shift = c.let(constant("i32", PAGE_SHIFT));
  if (!granules.length) return shift;
  const field = c.let(tcr.shrU(high.select(constant("i64", Tcr.Tg1Shift), Tcr.Tg0Shift)).wrap().and(3));
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
