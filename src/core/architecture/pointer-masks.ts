// The bits of a pointer that hold its code, the PAC of FEAT_PAuth, for debuggers. The core has the
// same in registers/pointer-authentication.ts.

import { LARGEST_TSZ, SMALLEST_TSZ, Tcr } from "./translation-control.ts";

/** Below the top byte, and all. */
const BELOW_TAG = (1n << 56n) - 1n, ALL = (1n << 64n) - 1n;

/**
 * The bits of a code in pointers of one half of the address space (1 for the upper), and bit 55,
 * which tells the halves apart.
 * @param tcr TCR_EL1
 */
export function pointerMask(tcr: bigint, half: 0 | 1, kind: "code" | "data"): bigint {
  const field = (shift: number, mask: number) => Number(tcr >> BigInt(shift) & BigInt(mask));
  const tsz = Math.max(SMALLEST_TSZ, Math.min(LARGEST_TSZ, field(Tcr.HalfShift * half, Tcr.SizeMask)));
  const ignored = field(Tcr.Tbi0Shift + half, 1) && (kind === "data" || !field(Tcr.Tbid0Shift + half, 1));
  return ALL << BigInt(64 - tsz) & (ignored ? BELOW_TAG : ALL);
}
