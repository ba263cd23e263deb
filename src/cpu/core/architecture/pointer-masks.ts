// The bits of a pointer that hold its code, the PAC of FEAT_PAuth, for debuggers. The core has the
// same in registers/pointer-authentication.ts.

import { addressSizesOf } from "../../isa/cpus/address-sizes.ts";
import type { FeatureName } from "../../isa/cpus/features.ts";
import { granulesOf, Tcr } from "./translation-control.ts";
import { PAGE_SHIFT } from "../../../kit/support/values/sizes.ts";

/** Below the top byte, and all. */
const BELOW_TAG = (1n << 56n) - 1n, ALL = (1n << 64n) - 1n;

/**
 * The bits of a code in pointers of one half of the address space (1 for the upper), and bit 55,
 * which tells the halves apart.
 * @param tcr TCR_EL1
 */
export function pointerMask(tcr: bigint, half: 0 | 1, kind: "code" | "data", features: ReadonlySet<FeatureName>): bigint {
  const field = (shift: number, mask: number) => Number(tcr >> BigInt(shift) & BigInt(mask));
  const tg = field(half ? Tcr.Tg1Shift : Tcr.Tg0Shift, 3);
  const granule = granulesOf(features).find(({ tg0, tg1 }) => tg === (half ? tg1 : tg0));
  const [least, greatest] = addressSizesOf(features).limits(granule?.shift ?? PAGE_SHIFT, (tcr & Tcr.DS) !== 0n);
  const tsz = Math.max(least, Math.min(greatest, field(Tcr.HalfShift * half, Tcr.SizeMask)));
  const ignored = field(Tcr.Tbi0Shift + half, 1) && (kind === "data" || !field(Tcr.Tbid0Shift + half, 1));
  return ALL << BigInt(64 - tsz) & (ignored ? BELOW_TAG : ALL);
}
