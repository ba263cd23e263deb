// Registers, commands and table entries of an Interrupt Translation Service (Arm IHI 0069 chapters
// 5 and 12). The formats of table entries are the implementation's own; a level 1 entry of an
// indirect table is architectural.

/** LPIs begin here. */
export const LPI_FIRST = 8192;
/** INTID bits that a VIC with LPIs has at most: 16, as QEMU's GIC. */
export const LPI_BITS_MAX = 16;
/** INTID bits that the architecture asks of a GIC with LPIs. */
export const LPI_BITS_MIN = 14;

/** Register offsets of the control frame. */
export const Gits = {
  /** Bytes of both frames: control, and translation. */
  Size: 0x2_0000,
  CTLR: 0x0000,
  IIDR: 0x0004,
  TYPER: 0x0008,
  CBASER: 0x0080,
  CWRITER: 0x0088,
  CREADR: 0x0090,
  BASER: 0x0100,
  BASER_End: 0x0140,
  PIDR2: 0xffe8,
  /** In the translation frame, as an offset from the control frame. */
  TRANSLATER: 0x1_0040,
} as const;

export const GitsCtlr = { Enabled: 1, Quiescent: 0x8000_0000 } as const;
export const GitsCwriter = { Retry: 1 } as const;
export const GitsCreadr = { Stalled: 1 } as const;

/** Bits of DeviceIDs, EventIDs and ICIDs. */
export const DEVICE_BITS = 16, EVENT_BITS = 16, COLLECTION_BITS = 16;
/** Bytes of an entry of each table. */
export const ENTRY_SIZE = 8;

/**
 * GITS_TYPER: physical LPIs; sizes of entries and of ids; RDbase is a processor number (PTA 0); no
 * collections in hardware; errors raise no SError.
 */
export const GITS_TYPER = BigInt(1 | ENTRY_SIZE - 1 << 4 | EVENT_BITS - 1 << 8 | DEVICE_BITS - 1 << 13) |
  BigInt(COLLECTION_BITS - 1) << 32n | 1n << 36n;

/** Fields of GITS_CBASER and GITS_BASER<n>. */
export const Baser = {
  Valid: 1n << 63n,
  Indirect: 1n << 62n,
  TypeShift: 56n,
  EntrySizeShift: 48n,
  PageSizeShift: 8n,
  PageSizes: [0x1000, 0x4000, 0x1_0000, 0x1_0000],
} as const;
/** Fields of GITS_BASER<n> that software writes: all but type, entry size and a reserved bit. */
export const BASER_WRITABLE = 0xf8e0_ffff_ffff_ffffn;
/** GITS_BASER<n>.Type, by n: devices, and collections. */
export const BASER_TYPES = [1, 4] as const;
export const CBASER_WRITABLE = 0xb8ef_ffff_ffff_fcffn;

/** A command is four double words. */
export const COMMAND_SIZE = 32;
/** Numbers of commands. */
export const Command = {
  MOVI: 0x01,
  INT: 0x03,
  CLEAR: 0x04,
  SYNC: 0x05,
  MAPD: 0x08,
  MAPC: 0x09,
  MAPTI: 0x0a,
  MAPI: 0x0b,
  INV: 0x0c,
  INVALL: 0x0d,
  MOVALL: 0x0e,
  DISCARD: 0x0f,
} as const;
export type CommandName = keyof typeof Command;

/** GICR_CTLR with LPIs. */
export const GicrCtlr = { EnableLPIs: 1, CES: 2 } as const;
export const GICR_TYPER_PLPIS = 1n;
/** GICR_PROPBASER and PENDBASER: the fields that software writes and reads back. */
export const PROPBASER_WRITABLE = 0x070f_ffff_ffff_ff9fn;
export const PENDBASER_WRITABLE = 0x070f_ffff_ffff_0f80n;
/** GICR_PENDBASER.PTZ: the pending table is zero. It reads as zero. */
export const PENDBASER_PTZ = 1n << 62n;
