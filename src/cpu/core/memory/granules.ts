// The sizes of pages and of addresses that TCR_EL1 asks for, computed by Wasm code.

import { addressSizesOf } from "../../isa/cpus/address-sizes.ts";
import type { FeatureName } from "../../isa/cpus/features.ts";
import { type Granule, Tcr } from "../architecture/translation-control.ts";
import { type Code, constant, type Local, type Value } from "../wasm/expression.ts";
import { PAGE_SHIFT } from "../../../kit/support/values/sizes.ts";

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

/** The tables of one half of the address space. */
export interface Half {
  /** The half of TCR_EL1 with its TxSZ. */
  readonly control: Value;
  /** log2 of the bytes of a page. */
  readonly page: Value;
  /** Whether TCR_EL1.DS counts; undefined on CPUs without FEAT_LPA2. */
  readonly wide: Value | undefined;
}

/** Whether tables have addresses of 52 bits, which is not for pages of 64 KiB. */
export function hasWideTables(c: Code, tcr: Value, page: Value, features: ReadonlySet<FeatureName>): Local | undefined {
  if (!addressSizesOf(features).hasWideTables) return undefined;
  return c.let(tcr.and(Tcr.DS).nonZero().and(page.ne(LARGE_PAGE_SHIFT)));
}

/** The least or greatest TxSZ: 0 or 1. */
function limit({ page, wide }: Half, end: 0 | 1, features: ReadonlySet<FeatureName>): Value {
  const sizes = addressSizesOf(features), small = sizes.limits(PAGE_SHIFT, false)[end], large = sizes.limits(LARGE_PAGE_SHIFT, false)[end];
  const plain = small === large ? constant("i32", small) : page.eq(LARGE_PAGE_SHIFT).select(constant("i32", large), small);
  const more = sizes.limits(PAGE_SHIFT, true)[end];
  return wide && more !== small ? wide.select(constant("i32", more), plain) : plain;
}

/** Bits of addresses in one half of the address space. */
export function inputBits(c: Code, half: Half, features: ReadonlySet<FeatureName>): Local {
  const tsz = c.let(half.control.and(Tcr.SizeMask)), least = limit(half, 0, features), greatest = limit(half, 1, features);
  c.if(tsz.ltU(least), () => c.set(tsz, least));
  c.if(tsz.gtU(greatest), () => c.set(tsz, greatest));
  return c.let(constant("i32", 64).sub(tsz));
}

/** Whether TxSZ asks for more bits than there are, which faults; undefined if it never does. */
export function asksForTooMany(half: Half, features: ReadonlySet<FeatureName>): Value | undefined {
  return addressSizesOf(features).refusesLess ? half.control.and(Tcr.SizeMask).ltU(limit(half, 0, features)) : undefined;
}
