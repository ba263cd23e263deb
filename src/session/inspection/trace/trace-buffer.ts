// Events for export: recorded from `start` to `stop`, the oldest first, in a bounded list that
// counts its losses.

import { TRACE_KINDS, type TraceEvent, type TraceKind } from "../../../machine/abi/trace.ts";
import type { TraceHub } from "../../../machine/hypervisor/inspect.ts";

/** Events that are kept. */
export const BUFFER_CAPACITY = 500_000;
/** Share of the events that is dropped when the list is full, so that it does not move for each. */
const DROPPED = 0.1;

/** Recorded events of one kind. */
interface KindCount {
  readonly kind: TraceKind;
  /** It is recorded now. */
  readonly recorded: boolean;
  readonly events: number;
}

/** The events of one machine. */
export class TraceBuffer {
  #events: TraceEvent[] = [];
  #dropped = 0;
  #kinds: readonly TraceKind[] = [];
  #end: (() => void) | undefined;

  /** Events that are kept at most. */
  capacity = BUFFER_CAPACITY;

  constructor(readonly hub: () => TraceHub) {}

  /** Events that are kept. */
  get size(): number {
    return this.#events.length;
  }

  /** Records these kinds from now on; earlier recorded events are removed. */
  start(kinds: readonly TraceKind[]): void {
    this.stop();
    this.#events = [];
    this.#dropped = 0;
    this.#kinds = kinds;
    this.#end = this.hub().listen(kinds, (event) => this.#add(event));
  }

  /** Stops recording; recorded events stay. */
  stop(): void {
    this.#end?.();
    this.#end = undefined;
    this.#kinds = [];
  }

  /**
   * Events after a position, oldest first; the position after them, and how many were lost before.
   */
  page(after: number, limit: number): { readonly events: readonly TraceEvent[]; readonly end: number; readonly dropped: number } {
    const first = Math.max(0, after - this.#dropped);
    const events = this.#events.slice(first, first + limit);
    return { events, end: this.#dropped + first + events.length, dropped: Math.max(0, this.#dropped - after) };
  }

  /** How many events of each kind there are. */
  counts(): KindCount[] {
    const counts = new Map<TraceKind, number>();
    for (const { kind } of this.#events) counts.set(kind, (counts.get(kind) ?? 0) + 1);
    return TRACE_KINDS.map((kind) => ({ kind, recorded: this.#kinds.includes(kind), events: counts.get(kind) ?? 0 }));
  }

  /** Events that were lost. */
  get dropped(): number {
    return this.#dropped;
  }

  #add(event: TraceEvent): void {
    if (this.#events.length >= this.capacity) {
      const count = Math.ceil(this.capacity * DROPPED);
      this.#events.splice(0, count);
      this.#dropped += count;
    }
    this.#events.push(event);
  }
}
