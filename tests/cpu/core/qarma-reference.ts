// QARMA-64 as its paper has it (R. Avanzi, "The QARMA Block Cipher Family", 2017, section 2), cell
// by cell: the reference for the core's vectors. Cells count from the highest bits.

const MASK = (1n << 64n) - 1n;
const TAU = [0, 11, 6, 13, 10, 1, 12, 7, 5, 14, 3, 8, 15, 4, 9, 2];
const TWEAK = [6, 5, 14, 15, 0, 1, 2, 3, 7, 12, 13, 4, 8, 9, 10, 11];
const SHIFTED = [0, 1, 3, 4, 8, 11, 13];
const ALPHA = 0xc0ac29b7c97c50ddn;
const CONSTANTS = [0n, 0x13198a2e03707344n, 0xa4093822299f31d0n, 0x082efa98ec4e6c89n, 0x452821e638d01377n, 0xbe5466cf34e90c6cn];

/** The involution σ1 of the paper, and σ2. */
export const SIGMA1 = [10, 13, 14, 6, 15, 7, 3, 5, 9, 8, 0, 12, 11, 1, 2, 4];
export const SIGMA2 = [11, 6, 8, 15, 12, 0, 9, 14, 3, 7, 4, 5, 13, 2, 1, 10];

const cells = (value: bigint) => Array.from({ length: 16 }, (_, i) => Number(value >> BigInt(60 - 4 * i) & 15n));
const word = (list: readonly number[]) => list.reduce((sum, cell) => sum << 4n | BigInt(cell), 0n);
const permuted = (value: bigint, order: readonly number[]) => word(order.map((from) => cells(value)[from]));
const inverse = (order: readonly number[]) => order.map((_, i) => order.indexOf(i));
const substituted = (value: bigint, sbox: readonly number[]) => word(cells(value).map((cell) => sbox[cell]));
const rotated = (cell: number, by: number) => (cell << by | cell >> 4 - by) & 15;

function mixed(value: bigint): bigint {
  const list = cells(value), by = [0, 1, 2, 1];
  return word(list.map((_, i) => [1, 2, 3].reduce((sum, row) => sum ^ rotated(list[(i + 4 * row) % 16], by[row]), 0)));
}

function nextTweak(tweak: bigint): bigint {
  const list = cells(permuted(tweak, TWEAK));
  return word(list.map((cell, i) => SHIFTED.includes(i) ? cell >> 1 | (cell & 1 ^ cell >> 1 & 1) << 3 : cell));
}

/** The cipher with `rounds` on each side of the middle: P, T, w0 and k0 of the paper. */
export function qarma(plain: bigint, tweak: bigint, w0: bigint, k0: bigint, rounds: number, sbox: readonly number[]): bigint {
  const w1 = (w0 >> 1n | (w0 & 1n) << 63n) ^ w0 >> 63n, tweaks = [tweak];
  for (let i = 0; i < rounds; i++) tweaks.push(nextTweak(tweaks[i]));
  let state = plain ^ w0;
  for (let i = 0; i < rounds; i++) {
    state ^= k0 ^ tweaks[i] ^ CONSTANTS[i];
    if (i > 0) state = mixed(permuted(state, TAU));
    state = substituted(state, sbox);
  }
  state = substituted(mixed(permuted(state ^ w1 ^ tweaks[rounds], TAU)), sbox);
  state = permuted(mixed(permuted(state, TAU)) ^ k0, inverse(TAU));
  state = permuted(mixed(substituted(state, inverse(sbox))), inverse(TAU)) ^ w0 ^ tweaks[rounds];
  for (let i = rounds - 1; i >= 0; i--) {
    state = substituted(state, inverse(sbox));
    if (i > 0) state = permuted(mixed(state), inverse(TAU));
    state ^= k0 ^ tweaks[i] ^ CONSTANTS[i] ^ ALPHA;
  }
  return (state ^ w1) & MASK;
}
