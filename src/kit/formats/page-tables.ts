// Translation tables of stage 1 for EL1 and EL0, as they are in memory: VMSAv8-64 (Arm ARM D5,
// D8.2), addresses of 48 and 52 bits. The caller reads the descriptors, and so decides what memory
// that is.

import { field } from "../support/values/bits.ts";

/** Reads 8 bytes at an intermediate physical address; undefined where there is no memory. */
export type ReadEntry = (ipa: number) => bigint | undefined;

/** Addresses from this one on are in the upper half, where kernels are mapped. */
export const UPPER_HALF = 1n << 63n;

/** The tables of one half of the addresses. */
export interface Tables {
  readonly root: number;
  /** Bits of an offset in a page: 12, 14 or 16. */
  readonly granule: number;
  /** Bits of an address that are translated. */
  readonly bits: number;
  /** Whether the other bits of an address are ones. */
  readonly upper: boolean;
  /** Whether descriptors have addresses of 52 bits (TCR_EL1.DS). */
  readonly wide: boolean;
  /** Whether every translation faults, as TxSZ asks for more bits than there are. */
  readonly refused: boolean;
  readonly first: FirstLevel;
}

/** The first table: its level, what one of its entries maps (log2), and the bits of its index. */
export interface FirstLevel {
  readonly level: number;
  readonly shift: number;
  readonly width: number;
}

/** Offsets in a page: their bits. */
type Granule = 12 | 14 | 16;

/** The sizes of pages, and of addresses with them, that a CPU has; other pages count as 4 KiB. */
export interface Sizes {
  readonly granules: readonly Granule[];
  /** Whether TCR_EL1.DS counts, with other pages than of 64 KiB (FEAT_LPA2). */
  readonly hasWideTables: boolean;
  /** Whether a TxSZ below the least faults (FEAT_LVA). */
  readonly refusesLess: boolean;
  /** The least and the greatest TxSZ: others count as these. */
  limits(granule: Granule, wide: boolean): readonly [least: number, greatest: number];
}

/** All that the architecture has: with FEAT_LVA, FEAT_LPA2 and FEAT_TTST. */
const ALL_SIZES: Sizes = {
  granules: [12, 14, 16],
  hasWideTables: true,
  refusesLess: true,
  limits: (granule, wide) => [granule === 16 || wide ? 12 : 16, granule === 16 ? 47 : 48],
};

/** An entry of a table, with its place. */
export interface Descriptor {
  /** The value of one that is unreadable is undefined. */
  readonly kind: "invalid" | "unreadable" | "table" | "leaf";
  readonly level: number;
  /** Its intermediate physical address. */
  readonly entry: number;
  readonly value: bigint | undefined;
  /** log2 of the bytes that it maps. */
  readonly shift: number;
  /** Rights that the tables above it take away: bits of `TableControl`. */
  readonly controls: number;
  /** `Tables.wide`. */
  readonly wide: boolean;
}

/** PXNTable, XNTable, APTable[0] (no EL0), APTable[1] (no writes). */
export const TableControl = { pxn: 1, xn: 2, noUser: 4, noWrite: 8 } as const;

/** TCR_EL1.TG0 and TG1; D19.2.139 leaves to the CPU what the reserved encoding means. */
const GRANULES = { tg0: [12, 16, 14, 12], tg1: [12, 14, 12, 16] } as const;
const LAST_LEVEL = 3, ENTRY_BITS = 3, ENTRY_SIZE = 8;
/** Bits 47 to 12 of an address in a descriptor; with TCR_EL1.DS also 49:48, and 51:50 at 9:8. */
const ADDRESS = 0x0000_ffff_ffff_f000n, HIGH_ADDRESS = 0x0003_0000_0000_0000n, HIGHEST_SHIFT = 8, HIGHEST = 50n;
const TCR_DS = 59;
/** Bits 47 to 1 of TTBR are the tables' address; CnP is bit 0 (D19.2.149). */
const TTBR_ADDRESS = 0x0000_ffff_ffff_fffen;
/** With TCR_EL1.DS: bits 51:48 of the address are at 5:2, tables are aligned to this at least. */
const TTBR_HIGHEST_SHIFT = 2, TTBR_HIGHEST = 48n, WIDE_ALIGNMENT = 64;
/** Bits 62 to 59 of a table's descriptor: `TableControl`. */
const CONTROLS_SHIFT = 59, CONTROLS_BITS = 4;

/** The tables of the half of the addresses that a TTBR is for. */
export function tablesOf(ttbr: bigint, tcr: bigint, upper: boolean, sizes: Sizes = ALL_SIZES): Tables {
  const wanted = upper ? GRANULES.tg1[field(tcr, 30, 2)] : GRANULES.tg0[field(tcr, 14, 2)];
  const granule = sizes.granules.includes(wanted) ? wanted : 12;
  const wide = sizes.hasWideTables && granule !== 16 && field(tcr, TCR_DS, 1) === 1;
  const [least, greatest] = sizes.limits(granule, wide), size = field(tcr, upper ? 16 : 0, 6);
  const bits = 64 - Math.min(greatest, Math.max(least, size)), first = firstLevel(granule, bits);
  const alignment = Math.max(ENTRY_SIZE << first.width, wide ? WIDE_ALIGNMENT : 0), low = ttbr & TTBR_ADDRESS & -BigInt(alignment);
  const root = Number(wide ? low | BigInt(field(ttbr, TTBR_HIGHEST_SHIFT, 4)) << TTBR_HIGHEST : low);
  return { root, granule, bits, upper, wide, refused: sizes.refusesLess && size < least, first };
}

/** Whether TCR_EL1.EPD turns the walks of a half off. */
export const areWalksOff = (tcr: bigint, upper: boolean): boolean => field(tcr, upper ? 23 : 7, 1) === 1;

/** An address without the tag that TCR_EL1.TBI lets it have, as 64 bits with a sign. */
export function untagged(address: bigint, tcr: bigint): bigint {
  return BigInt.asIntN(field(tcr, 37 + field(address, 55, 1), 1) ? 56 : 64, address);
}

/** Whether an address without a tag is in the half of the tables. */
export function isInHalf({ bits, upper, refused }: Tables, address: bigint): boolean {
  return !refused && BigInt.asIntN(64, address) >> BigInt(bits) === (upper ? -1n : 0n);
}

function firstLevel(granule: number, bits: number): FirstLevel {
  const indexBits = granule - ENTRY_BITS, level = LAST_LEVEL - Math.ceil((bits - granule) / indexBits) + 1;
  const shift = granule + (LAST_LEVEL - level) * indexBits;
  return { level, shift, width: bits - shift };
}

/** The first level that has blocks. */
const firstBlocks = ({ granule, wide }: Tables) => (granule === 12 ? 1 : 2) - Number(wide);

function descriptorAt(tables: Tables, entry: number, level: number, shift: number, controls: number, read: ReadEntry): Descriptor {
  const value = read(entry), type = value === undefined ? 0 : field(value, 0, 2);
  const isBlock = type === 1, mayBeBlock = level >= firstBlocks(tables) && level < LAST_LEVEL;
  const kind = value === undefined
    ? "unreadable"
    : !(type & 1) || isBlock && !mayBeBlock
    ? "invalid"
    : level === LAST_LEVEL || isBlock
    ? "leaf"
    : "table";
  return { kind, level, entry, value, shift, controls, wide: tables.wide };
}

/** Bits of a descriptor that are the next table's address, by granule. */
const TABLE_ADDRESS: Readonly<Record<number, bigint>> = Object.fromEntries(
  ALL_SIZES.granules.map((granule) => [granule, ADDRESS & -(1n << BigInt(granule))]),
);

/** An address of 48 bits in a descriptor, with the others that it has. */
function withHighest(address: bigint, value: bigint, wide: boolean): number {
  return Number(wide ? address | value & HIGH_ADDRESS | BigInt(field(value, HIGHEST_SHIFT, 2)) << HIGHEST : address);
}

const nextTable = ({ granule }: Tables, { value = 0n, wide }: Descriptor) => withHighest(value & TABLE_ADDRESS[granule], value, wide);
const controlsBelow = ({ controls, value = 0n }: Descriptor) => controls | field(value, CONTROLS_SHIFT, CONTROLS_BITS);

/**
 * The descriptor at which the walk for an address of the half ends.
 * @param passed is called for each table on the way
 */
export function walkTables(tables: Tables, address: bigint, read: ReadEntry, passed?: (table: Descriptor) => void): Descriptor {
  // Of the address the bits that are translated, as a number.
  const indexBits = tables.granule - ENTRY_BITS, va = Number(BigInt.asUintN(tables.bits, address));
  let { level, shift, width } = tables.first, table = tables.root, controls = 0;
  for (;; level++, shift -= indexBits, width = indexBits) {
    const found = descriptorAt(tables, table + ENTRY_SIZE * (Math.floor(va / 2 ** shift) % 2 ** width), level, shift, controls, read);
    if (found.kind !== "table") return found;
    passed?.(found);
    table = nextTable(tables, found);
    controls = controlsBelow(found);
  }
}

/** log2 of the bytes around an address for which walks end in the same last table, or block. */
export const lastTableShift = ({ granule }: Tables): number => 2 * granule - ENTRY_BITS;

/** The end of the walk for an address in the same last table as that of another walk. */
export function walkBeside(tables: Tables, end: Descriptor, address: bigint, read: ReadEntry): Descriptor {
  const { granule, bits } = tables, { level, entry, shift, controls } = end;
  if (level !== LAST_LEVEL) return end;
  // The only table of a small half is shorter than others.
  const width = Math.min(granule - ENTRY_BITS, bits - granule), table = entry - entry % (ENTRY_SIZE << width);
  return descriptorAt(tables, table + ENTRY_SIZE * field(address, granule, width), level, shift, controls, read);
}

/** The intermediate physical address that a leaf gives an address. */
export function outputOf({ value = 0n, shift, wide }: Descriptor, address: bigint): number {
  const inside = (1n << BigInt(shift)) - 1n;
  return withHighest(value & ADDRESS & ~inside | address & inside, value, wide);
}

/** A leaf, and the first address that it maps. */
interface Mapped {
  readonly address: bigint;
  readonly leaf: Descriptor;
}

/**
 * All leaves, by address. A table that many entries name is read for each: `read` has to end that.
 * @param without tables that take away one of these rights are left out: bits of `TableControl`
 */
export function* leavesOf(tables: Tables, read: ReadEntry, without = 0): Generator<Mapped> {
  if (tables.refused) return;
  const { level, shift, width } = tables.first;
  const first = tables.upper ? -(1n << BigInt(tables.bits)) : 0n;
  yield* leavesBelow(tables, read, { table: tables.root, level, shift, width, first, controls: 0, without });
}

interface OneTable {
  readonly table: number;
  readonly level: number;
  readonly shift: number;
  readonly width: number;
  readonly first: bigint;
  readonly controls: number;
  /** `leavesOf`. */
  readonly without: number;
}

function* leavesBelow(tables: Tables, read: ReadEntry, one: OneTable): Generator<Mapped> {
  const { table, level, shift, width, first, controls, without } = one, indexBits = tables.granule - ENTRY_BITS;
  for (let index = 0; index < 2 ** width; index++) {
    const address = first + (BigInt(index) << BigInt(shift));
    const found = descriptorAt(tables, table + ENTRY_SIZE * index, level, shift, controls, read);
    if (found.kind === "leaf") yield { address: BigInt.asUintN(64, address), leaf: found };
    if (found.kind !== "table" || controlsBelow(found) & without) continue;
    const below = { table: nextTable(tables, found), level: level + 1, shift: shift - indexBits, width: indexBits };
    yield* leavesBelow(tables, read, { ...below, first: address, controls: controlsBelow(found), without });
  }
}
