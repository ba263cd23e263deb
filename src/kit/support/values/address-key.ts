// 64-bit addresses as keys of maps, which find a number sooner than a bigint.

const BITS = 53, HIGH_BITS = 0x1f_ffff;

/** The lowest bits of an address. No two canonical addresses of up to 52 bits have the same. */
export const addressKey = (address: bigint): number => Number(BigInt.asUintN(BITS, address));

/** The same of an address in halves, unsigned. */
export const addressKeyOf = (low: number, high: number): number => (high & HIGH_BITS) * 2 ** 32 + low;
