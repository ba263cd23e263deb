// State and priority of a range of interrupts, as GICv3 keeps them (docs/spec/hypervisor.md §6.2).

import type { Archive } from "../../hardware/archive.ts";
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
/** INTIDs whose flags are in one word. */
const PER_WORD = 4;

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
  readonly sources = new Map<number, LevelSource>();
  /** How often each was acknowledged, for display. */
  readonly taken: Uint32Array;
  /**
   * How often each came again before the interrupted code moved: a level with its line high since
   * its end and not nearer to its fall, an SGI as a handler of the same vCPU has sent it. A storm,
   * if that continues.
   */
  readonly again: Uint32Array;
  /** Those whose flags, priority or route may be others since this was cleared, for searches. */
  readonly changed: Uint8Array;
  /** `flags` in words: of a thousand interrupts a few are used. */
  readonly #words: Uint32Array;

  constructor(end: number) {
    this.taken = new Uint32Array(end);
    this.again = new Uint32Array(end);
    this.#words = new Uint32Array(Math.ceil(end / PER_WORD));
    this.flags = new Uint8Array(this.#words.buffer, 0, end);
    this.priority = new Uint8Array(end);
    this.changed = new Uint8Array(end);
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

  /** The pending ones from `first` to below `end`, in order. */
  pending(first: number, end: number): number[] {
    return this.#having(ANY_PENDING, first, end).filter((intid) => this.isPending(intid));
  }

  /** The enabled ones from `first` to below `end`, in order. */
  enabled(first: number, end: number): number[] {
    return this.#having(Irq.Enabled, first, end);
  }

  /** Those with a source or pending, from `first` to below `end`, in order. */
  live(first: number, end: number): number[] {
    return this.#withSources(this.pending(first, end), first, end);
  }

  /** Those with a source, or used (`isUsed`), from `first` to below `end`, in order. */
  known(first: number, end: number): number[] {
    const acknowledged: number[] = [];
    for (let intid = first; intid < end; intid++) if (this.taken[intid]) acknowledged.push(intid);
    const used = this.#having(Irq.Enabled | Irq.Active | ANY_PENDING, first, end).filter((intid) => this.isUsed(intid));
    return this.#withSources([...used, ...acknowledged], first, end);
  }

  /** Those with at least one of these flags. */
  #having(flags: number, first: number, end: number): number[] {
    const found: number[] = [], anyOfWord = flags * 0x0101_0101;
    for (let word = first / PER_WORD | 0; word * PER_WORD < end; word++) {
      if (!(this.#words[word] & anyOfWord)) continue;
      for (let intid = Math.max(first, word * PER_WORD); intid < Math.min(end, (word + 1) * PER_WORD); intid++) {
        if (this.flags[intid] & flags) found.push(intid);
      }
    }
    return found;
  }

  #withSources(found: readonly number[], first: number, end: number): number[] {
    const bound = [...this.sources.keys()].filter((intid) => intid >= first && intid < end);
    return [...new Set([...found, ...bound])].sort((one, other) => one - other);
  }

  /** Whether an interrupt is enabled, active or pending, or was acknowledged. */
  isUsed(intid: number): boolean {
    return (this.flags[intid] & (Irq.Enabled | Irq.Active)) !== 0 || this.taken[intid] > 0 || this.isPending(intid);
  }
}
