// Sets as the bits of an i32.

/** How many bits of a mask are set. */
export function bitsOf(mask: number): number {
  let count = 0;
  for (let rest = mask; rest; rest &= rest - 1) count++;
  return count;
}
