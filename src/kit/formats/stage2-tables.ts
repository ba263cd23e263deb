// Translation tables of stage 2 as they are in memory: VTTBR_EL2 and VTCR_EL2 (Arm ARM D5.2.3,
// D5.4.5, D13.2.150, D13.2.151). Their first tables may be several that follow each other; for the
// rest, page-tables.ts walks them as those of stage 1.

import { field } from "../support/values/bits.ts";
import type { Descriptor, Sizes, Tables } from "./page-tables.ts";

/** VTCR_EL2: T0SZ, SL0, TG0, VS. */
const SIZE_BITS = 6, SL0 = [6, 2] as const, TG0 = [14, 2] as const, VS = 19;
/** VTCR_EL2.TG0. */
const GRANULES = [12, 16, 14, 12] as const;
const LAST_LEVEL = 3, ENTRY_BITS = 3, ENTRY_SIZE = 8;
/** VTTBR_EL2.BADDR; CnP is bit 0. The VMID is above, of 8 or 16 bits. */
const BASE = 0x0000_ffff_ffff_fffen, VMID_SHIFT = 48;

/** The tables of a VM. @param sizes those that the CPU has: another granule counts as 4 KiB */
export function stage2TablesOf(vttbr: bigint, vtcr: bigint, sizes: Pick<Sizes, "granules">): Tables {
  const wanted = GRANULES[field(vtcr, ...TG0)], granule = sizes.granules.includes(wanted) ? wanted : 12;
  const bits = 64 - field(vtcr, 0, SIZE_BITS), indexBits = granule - ENTRY_BITS;
  const level = (granule === 12 ? 2 : LAST_LEVEL) - field(vtcr, ...SL0);
  const shift = granule + (LAST_LEVEL - level) * indexBits, width = Math.max(0, bits - shift);
  const root = Number(baseOf(vttbr) & -BigInt(ENTRY_SIZE << width));
  return { root, granule, bits, upper: false, wide: false, refused: level < 0 || bits <= shift, first: { level, shift, width } };
}

/** The address in VTTBR_EL2, of tables of any size. */
export const baseOf = (vttbr: bigint): bigint => vttbr & BASE;

/** The VMID of VTTBR_EL2. @param vtcr by default that of the larger VMIDs */
export const vmidOf = (vttbr: bigint, vtcr = 1n << BigInt(VS)): number => field(vttbr, VMID_SHIFT, field(vtcr, VS, 1) ? 16 : 8);

/** S2AP: read, write. XN, of two bits with FEAT_XNX: neither level, EL0 alone, EL1 alone. */
const S2AP = [6, 2] as const, XN = [53, 2] as const, WRITE = 2, NO_EXECUTE = 2;
const EXECUTE = ["x", "x at EL0", "", "x at EL1"];

/** The rights of a leaf in words: `rwx`. */
export function stage2Rights({ value = 0n }: Descriptor, hasXnx: boolean): string {
  const access = field(value, ...S2AP), xn = field(value, ...XN);
  const execute = EXECUTE[hasXnx ? xn : xn & NO_EXECUTE], data = `${access & 1 ? "r" : ""}${access & WRITE ? "w" : ""}`;
  return `${data}${execute}` || "none";
}
