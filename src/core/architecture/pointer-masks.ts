// The bits of a pointer that hold its code (FEAT_PAuth), for debuggers. The core has the same in
// registers/pointer-authentication.ts.

const SMALLEST_TSZ = 16n, LARGEST_TSZ = 39n, TSZ_MASK = 0x3fn;
const HALF_SHIFT = 16n, TBI0_SHIFT = 37n, TBID0_SHIFT = 51n;
/** Below the top byte, and all. */
const BELOW_TAG = (1n << 56n) - 1n, ALL = (1n << 64n) - 1n;

/**
 * The bits of a code in pointers of one half of the address space (1 for the upper), and bit 55,
 * which tells the halves apart.
 * @param tcr TCR_EL1
 */
export function pointerMask(tcr: bigint, half: 0 | 1, kind: "code" | "data"): bigint {
  const high = BigInt(half), field = tcr >> HALF_SHIFT * high & TSZ_MASK;
  const tsz = field < SMALLEST_TSZ ? SMALLEST_TSZ : field > LARGEST_TSZ ? LARGEST_TSZ : field;
  const ignored = (tcr >> TBI0_SHIFT + high & 1n) === 1n && (kind === "data" || (tcr >> TBID0_SHIFT + high & 1n) === 0n);
  return ALL << 64n - tsz & (ignored ? BELOW_TAG : ALL);
}
