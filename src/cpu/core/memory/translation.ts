// The terms of address translation that the walks of both stages share with those who ask for them:
// kinds of access, faults, descriptors, and where memory is.

import { Access } from "../state/functions.ts";
import type { FunctionBuilder } from "../wasm/module.ts";

/** The place of RAM: one range of physical addresses, in one piece of the Wasm memory. */
export interface RamLayout {
  /** Physical address of the first byte. */
  readonly base: number;
  /** In bytes. */
  readonly size: number;
  /** Address of the first byte in the Wasm memory. */
  readonly wasmAddress: number;
}

/** Where a core finds what is at an address. */
export interface Physical {
  readonly stage2: FunctionBuilder;
  readonly ram: RamLayout;
}

/** `CPU.FAULT`: the exception level that a failed translation is reported to. */
export const Fault = {
  None: 0,
  /** EL1; `CPU.FAULT_STATUS` is the fault status code. */
  Stage1: 1,
  /** EL2: stage 2 at `CPU.WALK_IPA`. */
  Stage2: 2,
  /** EL2: stage 2 on the walk of stage 1, of the descriptor at `CPU.WALK_IPA`. */
  Stage2OnWalk: 3,
  /** EL2: no fault, but `CPU.WALK_PA` is not in RAM. */
  Bus: 4,
  /** EL2 in the core: its stage 2 at `CPU.WALK_IPA`, also on the walk of stage 1. */
  El2: 5,
  El2OnWalk: 6,
} as const;

/** Kinds of access in addition to those of `Access`, for `translate`. */
export const AccessKind = {
  Write: Access.Write,
  Execute: 0x2000,
  /** Cache maintenance or AT: aborts say so. */
  Maintenance: 0x4000,
  /** PSTATE.PAN does not count (AT). */
  IgnorePan: 0x8000,
  /** The write is of an atomic, which reads as well: for stage 2 and watchpoints. */
  ReadModifyWrite: 0x1_0000,
  /** A question that is not the guest's: no descriptor changes (FEAT_HAFDBS). */
  Observe: 0x4_0000,
  /** The access may never follow: it fails where a descriptor has to change first. */
  Speculative: 0x8_0000,
  /** A read of a descriptor of stage 1. */
  Walk: 0x200_0000,
} as const;

/** Bits of a descriptor. */
export const Descriptor = {
  Valid: 1n,
  /** A table above level 3, a page at level 3; clear: a block. */
  Table: 2n,
  AttributeIndexShift: 2,
  ApUser: 1n << 6n,
  ApReadOnly: 1n << 7n,
  ShareabilityShift: 8,
  AccessFlag: 1n << 10n,
  Guarded: 1n << 50n,
  /** With TCR_EL1.HD, a write clears ApReadOnly. */
  DirtyBitModifier: 1n << 51n,
  NonGlobal: 1n << 11n,
  Pxn: 1n << 53n,
  Uxn: 1n << 54n,
  /**
   * Hierarchical controls of tables, from PXNTable up: PXN, XN, AP[0] no EL0 access, AP[1] no
   * writes.
   */
  TableControlsShift: 59,
  Address: 0x0000_ffff_ffff_f000n,
  /** The same with TCR_EL1.DS: bits 51 and 50 are where the shareability is without. */
  WideAddress: 0x0003_ffff_ffff_f000n,
  /** The address in a TTBR. */
  Root: 0x0000_ffff_ffff_fffen,
  HighestShift: 50,
} as const;
