// The layout of the soft TLBs of the vCPUs: a pool of spaces, one per vCPU.
// docs/design/decisions.md §8.
//
// A space holds one `TlbSet` a regime: EL0, EL1, and EL1 with PSTATE.PAN; a change of regime is a
// change of the base that the interpreter reads. Entries of non-global translations are in a list
// as well, so that a change of ASID costs what it drops. An entry stands for 4 KiB even when it
// comes from a block; as TLB maintenance of one address drops the whole block, two filters remember
// which blocks there may be entries of.

import { type Code, constant, type Value } from "../wasm/expression.ts";
import { CPU, DataEntry, FetchEntry, TlbSet } from "./cpu-state.ts";
import { PAGE_SHIFT } from "../../../kit/support/values/sizes.ts";

/** Regimes in the order of their sets in a space. */
export const Regime = { El0: 0, El1: 1, El1Pan: 2 } as const;

/** How many there are. */
export const REGIMES = 3;
const ENTRIES_PER_SET = 2 * TlbSet.Entries + TlbSet.FetchEntries;
/**
 * One bit per 2 MiB block, indexed by a hash of the address; large enough that pages of different
 * blocks seldom share a bit.
 */
export const BLOCK_FILTER_BITS = 0x4000;

const LIST = REGIMES * TlbSet.Size + 56 + BLOCK_FILTER_BITS / 8;
/** Bytes of what a core with EL2 has after the list. */
const CONTROLS = 56;
const LIST_END = LIST + 4 * REGIMES * ENTRIES_PER_SET;

export const TlbSpace = {
  /** A `TlbSet` for each of `Regime`. */
  Sets: 0,
  /** Number of entries in `List`. i32. */
  ListLength: REGIMES * TlbSet.Size,
  /** `Stage2Table.id` of the translations, 0 while the space is free. i32. */
  Stage2Id: REGIMES * TlbSet.Size + 4,
  /**
   * ASID of the non-global translations; `UNKNOWN_ASID` until TTBR0_EL1, TTBR1_EL1 or TCR_EL1 are
   * written. i32.
   */
  Asid: REGIMES * TlbSet.Size + 8,
  /** A bit for each 1 GiB block that there may be entries of, by VA[34:30]. i32. */
  GiantFilter: REGIMES * TlbSet.Size + 12,
  /** 1 if there may be entries of Device memory. i32. */
  HasDevice: REGIMES * TlbSet.Size + 16,
  /**
   * The latest invalidation after which entries became suspect: `Miss`, i32; the address of its
   * instruction, its operand, and MPIDR_EL1 of its CPU, i64.
   */
  Miss: REGIMES * TlbSet.Size + 20,
  MissPc: REGIMES * TlbSet.Size + 24,
  MissOperand: REGIMES * TlbSet.Size + 32,
  MissCpu: REGIMES * TlbSet.Size + 40,
  /** How often all entries became suspect at once. i32. */
  Misses: REGIMES * TlbSet.Size + 48,
  /** Work that watched stores to tables have made (memory/table-stores.ts). i32. */
  TableWork: REGIMES * TlbSet.Size + 52,
  /** A bit for each 2 MiB block that there may be entries of. */
  BlockFilter: REGIMES * TlbSet.Size + 56,
  /**
   * Entries with non-global translations: the address, with `ListKind` in its low bits. i32 each.
   */
  List: LIST,
  /**
   * FEAT_EL2: the exception level of the regime, 0 before the first use; 1 in that of the spaces of
   * EL1&0 that the vCPU used last. i32.
   */
  Level: LIST_END,
  Latest: LIST_END + 4,
  /**
   * The controls that the translations of EL1&0 were made with: VTTBR_EL2, VTCR_EL2, bits of
   * HCR_EL2; SCTLR_EL1, TCR_EL1 and MAIR_EL1. i64.
   */
  Vttbr: LIST_END + 8,
  Vtcr: LIST_END + 16,
  Hcr: LIST_END + 24,
  Sctlr: LIST_END + 32,
  Tcr: LIST_END + 40,
  Mair: LIST_END + 48,
  /** Bytes of these, from `Level` on. */
  ControlsSize: CONTROLS,
  /** Bytes of a space. */
  Size: Math.ceil((LIST_END + CONTROLS) / 0x1000) * 0x1000,
} as const;

/** No ASID: the registers may have any when a space was emptied or changed its owner. */
export const UNKNOWN_ASID = -1;

const HALF_TABLE = TlbSet.Entries / 2 * DataEntry.Size;
/** The bytes of Read and Write in a set whose entries match nothing: VA[24] is inverted. */
export const EMPTY_DATA = [TlbSet.Read, TlbSet.Write].flatMap((table) => [
  { from: table, bytes: HALF_TABLE, value: 0xff },
  { from: table + HALF_TABLE, bytes: HALF_TABLE, value: 0 },
]);

/** Flags of an entry. In one that was flushed with its set, `Unlisted` is set. */
export const TlbFlags = {
  NonGlobal: 1,
  /** The entry is not in the space's list. */
  Unlisted: 2,
  /** Device memory, or SCTLR_EL1.A: unaligned accesses fault. */
  Aligned: 4,
  /** From a 2 MiB block, from a 1 GiB block; both: from a larger one. */
  Block: 8,
  Giant: 16,
  /**
   * Only the slow path may use the entry, which inline compares never match. It is good otherwise.
   */
  Slow: 32,
  /** Of Fetch: instructions of the page must permit indirect branches to them (FEAT_BTI). */
  Guarded: 64,
  /**
   * Of Read and Write: an invalidation that was perhaps meant for it did not reach it; its next use
   * compares it with the tables. Always with `Slow`.
   */
  Suspect: 64,
  /** Device memory: exclusive and atomic accesses are noted. */
  Device: 128,
} as const;

/**
 * The target that an invalidation missed: this CPU, the ASID, the address; `Store`: a store without
 * any. `ForGood`, added to that of a use: no invalidation has come in time.
 */
export const Miss = { None: 0, Cpu: 1, Asid: 2, Address: 3, Store: 4, ForGood: 8 } as const;

/**
 * Bit of an entry of Read or Write that inline compares expect to be VA[24]: where it is not, they
 * miss.
 */
export const DISABLING_BIT = 1 << 24;
/** Bits of such an entry, below it, that are a distance, in units of 256 bytes. */
export const DISTANCE_MASK = DISABLING_BIT - 1;

/**
 * Low bits of what is in a space's list. Entries of Read and Write have one kind per regime, as
 * their flags lie apart.
 */
export const ListKind = { Fetch: 0, Read: 1, Write: 1 + REGIMES, Mask: 7 } as const;

/** Bytes of a set that has only Read and Write. */
export const EMPTY_SET_SIZE = TlbSet.Fetch;

/** The pool's place in the Wasm memory. */
export interface TlbPoolLayout {
  /** First address; a multiple of 4096. */
  readonly base: number;
  readonly spaces: number;
  /** Address of Read and Write of a set in which no entry matches. */
  readonly empty: number;
  /**
   * Address of a bit for each 4 KiB of the Wasm memory: it may be in a write entry of some space.
   */
  readonly writeMapped: number;
}

/** Runs `body` for each space that is in use. */
export function forEachSpace(c: Code, { base, spaces }: TlbPoolLayout, body: (space: Value) => void): void {
  const space = c.let(constant("i32", base));
  c.doWhile(() => {
    c.if(c.load("i32.load", space, TlbSpace.Stage2Id), () => body(space));
    c.set(space, space.add(TlbSpace.Size));
  }, () => space.ne(base + spaces * TlbSpace.Size));
}

/** The space of the running vCPU: its EL0 set is the first thing in it. */
export const currentSpace = (c: Code): Value => c.load("i32.load", CPU.TLB_SPACE);

/** Offset in a set's Read or Write table of the entry of `va` (i64). */
export const dataEntryOffset = (va: Value): Value => va.wrap().shrU(DataEntry.IndexShift).and(DataEntry.IndexMask);

export const dataFlagsOffset = (va: Value): Value => va.wrap().shrU(PAGE_SHIFT).and(TlbSet.Entries - 1);

/** Offset in a set's Fetch table of the entry of `va` (i64). */
export const fetchEntryOffset = (va: Value): Value => va.wrap().shrU(8).and((TlbSet.FetchEntries - 1) * FetchEntry.Size);
