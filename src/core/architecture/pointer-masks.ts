// The bits of a pointer that hold its code, the PAC of FEAT_PAuth, for debuggers. The core has the
// same in registers/pointer-authentication.ts.

import { addressSizesOf } from "../../isa/address-sizes.ts";
import type { FeatureName } from "../../isa/features.ts";
import { Tcr } from "./translation-control.ts";

/** Below the top byte, and all. */
const BELOW_TAG = (1n << 56n) - 1n, ALL = (1n << 64n) - 1n;

/** TCR_EL1.TG0 and TG1 as log2 of the bytes of a page; others are 4 KiB. */
const GRANULES = [{ shift: 14, values: [[1, 16], [2, 14]] }, { shift: 30, values: [[3, 16], [1, 14]] }] as const;

/**
 * The bits of a code in pointers of one half of the address space (1 for the upper), and bit 55,
 * which tells the halves apart.
 * @param tcr TCR_EL1
 */
export function pointerMask(tcr: bigint, half: 0 | 1, kind: "code" | "data", features: ReadonlySet<FeatureName>): bigint {
  const field = (shift: number, mask: number) => Number(tcr >> BigInt(shift) & BigInt(mask));
  const { granules, limits } = addressSizesOf(features), { shift, values } = GRANULES[half];
  const wanted = values.find(([value]) => value === field(shift, 3))?.[1];
  const [least, greatest] = limits(wanted !== undefined && granules.includes(wanted) ? wanted : 12);
  const tsz = Math.max(least, Math.min(greatest, field(Tcr.HalfShift * half, Tcr.SizeMask)));
  const ignored = field(Tcr.Tbi0Shift + half, 1) && (kind === "data" || !field(Tcr.Tbid0Shift + half, 1));
  return ALL << BigInt(64 - tsz) & (ignored ? BELOW_TAG : ALL);
}
