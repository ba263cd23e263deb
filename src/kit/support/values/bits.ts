// Bits of numbers.

/** How many bits of an i32 are set. */
export function bitsOf(mask: number): number {
  let count = 0;
  for (let rest = mask; rest; rest &= rest - 1) count++;
  return count;
}

/** The number in `bits` bits of a value, at most 53, from bit `shift` on. */
export function field(value: bigint, shift: number, bits: number): number {
  return Number(value >> BigInt(shift) & (1n << BigInt(bits)) - 1n);
}
