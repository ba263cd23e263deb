// Translation tables of stage 2 as they are in memory: VTTBR_EL2 and VTCR_EL2 (Arm ARM D5.2.3,
// D5.4.5, D13.2.150, D13.2.151). Their first tables may be several that follow each other, and
// their leaves have other rights than those of stage 1 (page-tables.ts, which walks both).

import { field } from "../support/values/bits.ts";
import type { Descriptor, Sizes, Tables } from "./page-tables.ts";

/** VTCR_EL2: T0SZ, SL0, TG0, VS. */
const SIZE_BITS = 6, SL0 = [6, 2] as const, TG0 = [14, 2] as const, VS = 19;
/** VTCR_EL2.TG0. */
const GRANULES = [12, 16, 14, 12] as const;
const LAST_LEVEL = 3, ENTRY_BITS = 3, ENTRY_SIZE = 8;
/** VTTBR_EL2.BADDR; CnP is bit 0. The VMID is above, of 8 or 16 bits. */
const BASE = 0x0000_ffff_ffff_fffen, VMID_SHIFT = 48;
/** Of a leaf: S2AP at bit 6 (reads, writes), MemAttr[3:2] at bit 4, XN at bit 53. */
const S2AP = 6, MEMORY_TYPE = 4, XN = 53;

/** The tables of a VM. @param sizes those that the CPU has: another granule counts as 4 KiB */
export function stage2TablesOf(vttbr: bigint, vtcr: bigint, sizes: Pick<Sizes, "granules">): Tables {
  const wanted = GRANULES[field(vtcr, ...TG0)], granule = sizes.granules.includes(wanted) ? wanted : 12;
  const bits = 64 - field(vtcr, 0, SIZE_BITS), indexBits = granule - ENTRY_BITS;
  const level = (granule === 12 ? 2 : LAST_LEVEL) - field(vtcr, ...SL0);
  const shift = granule + (LAST_LEVEL - level) * indexBits, width = Math.max(0, bits - shift);
  const root = Number(vttbr & BASE & -BigInt(ENTRY_SIZE << width));
  return { root, granule, bits, upper: false, wide: false, refused: level < 0 || bits <= shift, first: { level, shift, width } };
}

/** The VMID of VTTBR_EL2. */
export const vmidOf = (vttbr: bigint, vtcr: bigint): number => field(vttbr, VMID_SHIFT, field(vtcr, VS, 1) ? 16 : 8);

/** Rights of a leaf: of reads and writes, and of instruction fetches by each level. */
export interface Stage2Rights {
  readonly read: boolean;
  readonly write: boolean;
  readonly executeEl1: boolean;
  readonly executeEl0: boolean;
  readonly device: boolean;
}

/** @param hasXnx whether XN has two bits (FEAT_XNX); else the upper one counts alone */
export function stage2Rights({ value = 0n }: Descriptor, hasXnx: boolean): Stage2Rights {
  const executeEl0 = !field(value, XN + 1, 1), own = field(value, XN, 2);
  return {
    read: field(value, S2AP, 1) === 1,
    write: field(value, S2AP + 1, 1) === 1,
    executeEl1: hasXnx ? own === 0 || own === 3 : executeEl0,
    executeEl0,
    device: field(value, MEMORY_TYPE, 2) === 0,
  };
}
