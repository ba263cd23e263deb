// State and priority of a range of interrupts, as GICv3 keeps them (docs/spec/hypervisor.md §6.2).

import type { Archive } from "../../machine/archive.ts";
import { PRIORITY_MASK } from "./gic-registers.ts";

/** State bits of one interrupt. */
export const Irq = {
  Enabled: 1,
  Group1: 2,
  /** Edge-triggered; otherwise level. */
  Edge: 4,
  Active: 8,
  /** Pending by an edge; of a level, that its source raised it again since it was acknowledged. */
  Latched: 16,
  /** The source holds its line high. */
  Source: 32,
  /** Pended by ISPENDR while level. */
  Software: 64,
  /** Pended by SETSPI while level. */
  Message: 128,
} as const;

const LEVEL_PENDING = Irq.Source | Irq.Software | Irq.Message;
/** Of the flags of an interrupt that is pending, at least one is set. */
const ANY_PENDING = Irq.Latched | LEVEL_PENDING;

/**
 * A vIRQ's producer as the VIC sees it: at the guest's EOI it says whether a level interrupt
 * continues.
 */
export interface LevelSource {
  stillPending(): boolean;
}

/** A range of interrupts, indexed by INTID. */
export class IrqBank {
  readonly flags: Uint8Array;
  readonly priority: Uint8Array;
  readonly sources: (LevelSource | undefined)[];
  /** How often each was acknowledged, for display. */
  readonly taken: Uint32Array;
  /**
   * How often each came again before the interrupted code moved, with its line high since its end
   * and nothing done for its source: a storm, if that continues.
   */
  readonly again: Uint32Array;

  constructor(end: number) {
    this.taken = new Uint32Array(end);
    this.again = new Uint32Array(end);
    this.flags = new Uint8Array(end);
    this.priority = new Uint8Array(end);
    this.sources = new Array(end).fill(undefined);
  }

  /** State, priority and counts, saved or loaded. Sources bind themselves. */
  archive(archive: Archive): void {
    archive.fill("flags", this.flags);
    archive.fill("priority", this.priority);
    archive.fill("taken", this.taken);
    archive.fill("again", this.again);
    archive.check(this.priority.every((priority) => (priority & ~PRIORITY_MASK) === 0), "priorities have five bits");
  }

  /** Pending in the sense of ISPENDR: the trigger mode decides which bits count. */
  isPending(intid: number): boolean {
    const flags = this.flags[intid];
    return (flags & Irq.Edge ? flags & Irq.Latched : flags & LEVEL_PENDING) !== 0;
  }

  /** Adds the pending ones from `first` to below `end`. */
  addPending(first: number, end: number, found: number[]): void {
    // Of a thousand a few are pending, and most have none of these flags.
    for (let intid = first; intid < end; intid++) {
      if (this.flags[intid] & ANY_PENDING && this.isPending(intid)) found.push(intid);
    }
  }

  /** Whether an interrupt is enabled, active or pending, or was acknowledged. */
  isUsed(intid: number): boolean {
    return (this.flags[intid] & (Irq.Enabled | Irq.Active)) !== 0 || this.taken[intid] > 0 || this.isPending(intid);
  }
}
