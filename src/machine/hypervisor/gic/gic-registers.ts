// Register offsets, fields and constants of the GICv3 that a VIC shows (Arm IHI 0069;
// docs/spec/hypervisor.md §6.2).

import { LPI_FIRST } from "./its/its-registers.ts";

/** INTID ranges. */
export const Intid = {
  /** SGIs are 0..15. */
  SgiEnd: 16,
  /** PPIs are 16..31; SGIs and PPIs are private to a vCPU. */
  PrivateEnd: 32,
  /** SPIs are 32..1019. */
  SpiEnd: 1020,
  /** No interrupt to acknowledge. */
  Spurious: 1023,
} as const;

/** Whether an INTID lies between SPIs and LPIs, where there are no interrupts. */
export function isSpecial(intid: number): boolean {
  return intid >= Intid.SpiEnd && intid < LPI_FIRST;
}

/** Distributor frame. */
export const Gicd = {
  Size: 0x1_0000,
  CTLR: 0x0000,
  TYPER: 0x0004,
  IIDR: 0x0008,
  TYPER2: 0x000c,
  STATUSR: 0x0010,
  SETSPI_NSR: 0x0040,
  CLRSPI_NSR: 0x0048,
  SETSPI_SR: 0x0050,
  CLRSPI_SR: 0x0058,
  IGROUPR: 0x0080,
  ISENABLER: 0x0100,
  ICENABLER: 0x0180,
  ISPENDR: 0x0200,
  ICPENDR: 0x0280,
  ISACTIVER: 0x0300,
  ICACTIVER: 0x0380,
  IPRIORITYR: 0x0400,
  ITARGETSR: 0x0800,
  ICFGR: 0x0c00,
  IGRPMODR: 0x0d00,
  NSACR: 0x0e00,
  SGIR: 0x0f00,
  CPENDSGIR: 0x0f10,
  SPENDSGIR: 0x0f20,
  SPENDSGIR_End: 0x0f30,
  IROUTER: 0x6000,
  IROUTER_End: 0xa000,
  PIDR2: 0xffe8,
} as const;

/**
 * Whether loads of a word of the distributor, or of an SGI frame, change nothing and give the same
 * until a vCPU leaves to EL2 for something else: all but those of what is pending and active.
 */
export function isSteadyWord(offset: number): boolean {
  return offset < Gicd.ISPENDR || offset >= Gicd.IPRIORITYR;
}

/** The 32 interrupts whose state a word of the distributor, or of an SGI frame, shows. */
export function toldByWord(offset: number): { readonly first: number; readonly what: "pending" | "active" } | undefined {
  if (isSteadyWord(offset) || offset & 3) return undefined;
  return { first: (offset & 0x7f) * 8, what: offset < Gicd.ISACTIVER ? "pending" : "active" };
}

/** Redistributor: the RD frame, then the SGI frame. */
export const Gicr = {
  /** One redistributor without VLPI frames. */
  Stride: 0x2_0000,
  CTLR: 0x0000,
  IIDR: 0x0004,
  TYPER: 0x0008,
  STATUSR: 0x0010,
  WAKER: 0x0014,
  SETLPIR: 0x0040,
  CLRLPIR: 0x0048,
  PROPBASER: 0x0070,
  PENDBASER: 0x0078,
  INVLPIR: 0x00a0,
  INVALLR: 0x00b0,
  SYNCR: 0x00c0,
  PIDR2: 0xffe8,
  SgiFrame: 0x1_0000,
} as const;

/** GICD_TYPER: 988 SPIs, MBIS, 10 INTID bits, A3V, No1N. */
export const GICD_TYPER = 0x0349_001f;
/** GICD_TYPER.LPIS, and where the INTID bits - 1 are. */
export const GicdTyper = { LPIS: 0x2_0000, IdBitsShift: 19, IdBits: 0xf8_0000 } as const;
/** GICD_IIDR and GICR_IIDR. */
export const GIC_IIDR = 0x4700_0070;
/** GICx_PIDR2: architecture revision 3. */
export const GIC_PIDR2 = 0x30;
/** GICD_CTLR bits that always read as one: ARE and DS. */
export const GICD_CTLR_FIXED = 0x50;
/** GICD_CTLR.EnableGrp0 and EnableGrp1, the only writable bits. */
export const GICD_CTLR_GROUPS = 0x3;

/** GICx_STATUSR: kinds of invalid accesses. */
export const Statusr = {
  /** Read of a reserved location. */
  RRD: 1,
  /** Write to a reserved location. */
  WRD: 2,
  /** Read of a write-only location. */
  RWOD: 4,
  /** Write to a read-only location. */
  WROD: 8,
} as const;

/** GICR_WAKER. */
export const Waker = { ProcessorSleep: 2, ChildrenAsleep: 4 } as const;

/** Five priority bits are implemented: 32 levels, 8 apart. */
export const PRIORITY_MASK = 0xf8;
/** Running priority without an active interrupt. */
export const IDLE_PRIORITY = 0xff;

/** Key of an ICC register: CRn, CRm and op2 as one number (op0 is 3, op1 is 0). */
export function iccKey(crn: number, crm: number, op2: number): number {
  return crn << 8 | crm << 4 | op2;
}

/** The CPU interface's system registers by `iccKey`. */
export const Icc = {
  PMR: 0x460,
  IAR0: 0xc80,
  EOIR0: 0xc81,
  HPPIR0: 0xc82,
  BPR0: 0xc83,
  AP0R0: 0xc84,
  AP1R0: 0xc90,
  DIR: 0xcb1,
  RPR: 0xcb3,
  SGI1R: 0xcb5,
  ASGI1R: 0xcb6,
  SGI0R: 0xcb7,
  IAR1: 0xcc0,
  EOIR1: 0xcc1,
  HPPIR1: 0xcc2,
  BPR1: 0xcc3,
  CTLR: 0xcc4,
  SRE: 0xcc5,
  IGRPEN0: 0xcc6,
  IGRPEN1: 0xcc7,
} as const;

/** ICC_CTLR_EL1: A3V, 24 INTID bits, 5 priority bits; CBPR and EOImode are writable. */
export const IccCtlr = { Fixed: 0x8c00, CBPR: 1, EOImode: 2 } as const;
/** ICC_SRE_EL1: system registers only. */
export const ICC_SRE = 7;
