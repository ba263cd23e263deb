// Stage-2 tables as EL2 fills them.

/** Access rights and kind in a stage-2 entry. */
export const Stage2Flags = {
  Read: 1,
  Write: 2,
  /** Instruction fetch at EL1. */
  ExecuteEl1: 4,
  /** Instruction fetch at EL0. */
  ExecuteEl0: 8,
  /** Device memory: unaligned accesses fault. */
  Device: 16,
} as const;

/** Bytes that are mapped in order with one set of flags. */
export interface MappedRun {
  readonly ipa: number;
  readonly pa: number;
  readonly size: number;
  readonly flags: number;
}

/**
 * Stage-2 tables of one address space, in a form that the core walks inside Wasm. Pages are 4 KiB;
 * IPAs are below 2^36, or 2^40.
 */
export interface Stage2Table {
  readonly id: number;
  /**
   * Maps whole pages; `ipa`, `pa` and `size` are multiples of 4096. The caller then calls
   * `Core.invalidateStage2`. False, and nothing changed, when tables have run out of memory.
   */
  map(ipa: number, pa: number, size: number, flags: number): boolean;
  unmap(ipa: number, size: number): boolean;
  /** The entry of the page that holds `ipa`, or undefined. */
  lookup(ipa: number): { pa: number; flags: number } | undefined;
  /** Everything that is mapped, from low to high, in as few runs as possible. */
  entries(): readonly MappedRun[];
  /** Gives the tables' memory back. */
  release(): void;
}
