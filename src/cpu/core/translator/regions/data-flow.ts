// Where a region keeps registers in locals: those that may differ from the CPU state, and those
// that must be in their locals. docs/design/core.md §T2 ("precise spill and reload sets").

import { add, keepOnly, noRegisters, type RegisterSet, without } from "../code/register-use.ts";

/** A block as the analysis sees it. */
export interface FlowBlock {
  /** Registers that are read before the block writes them, and those that it writes. */
  readonly read: Readonly<RegisterSet>;
  readonly written: Readonly<RegisterSet>;
  /** It stores its locals at its end, but those of `DataFlow.late`. */
  readonly stores: boolean;
  /** Blocks that follow with the locals as they are. After a call they are reloaded. */
  readonly successors: readonly number[];
}

/** The result, by block. */
export interface DataFlow {
  /** Registers whose locals may be newer than the CPU state at the start. */
  readonly dirty: readonly Readonly<RegisterSet>[];
  /** Registers whose locals must hold their values at the start. */
  readonly needed: readonly Readonly<RegisterSet>[];
  /**
   * Registers that a storing block need not store: all blocks after it, of which there are some,
   * have them dirty because of others before them.
   */
  readonly late: readonly Readonly<RegisterSet>[];
}

/** Analyzes the blocks of a region; in `order`, most blocks come after their predecessors. */
export function dataFlow(blocks: readonly FlowBlock[], order: readonly number[]): DataFlow {
  const dirty = blocks.map(noRegisters), needed = blocks.map(noRegisters);
  for (let changed = true; changed;) {
    changed = false;
    for (const node of order) {
      if (blocks[node].stores) continue;
      for (const to of blocks[node].successors) {
        if (add(dirty[to], dirty[node])) changed = true;
        if (add(dirty[to], blocks[node].written)) changed = true;
      }
    }
  }
  blocks.forEach(({ read }, node) => {
    add(needed[node], read);
    add(needed[node], dirty[node]);
  });
  for (let changed = true; changed;) {
    changed = false;
    for (let i = order.length - 1; i >= 0; i--) {
      const node = order[i];
      for (const to of blocks[node].successors) if (add(needed[node], without(needed[to], blocks[node].written))) changed = true;
    }
  }
  const late = blocks.map(({ stores, successors: [first, ...others] }) => {
    const set = noRegisters();
    if (!stores || first === undefined) return set;
    add(set, dirty[first]);
    for (const to of others) keepOnly(set, dirty[to]);
    return set;
  });
  return { dirty, needed, late };
}
