// The events kept for display: a bounded ring, and readers who take their kinds from it, each at
// its own pace.

import { TRACE_KINDS, type TraceEvent, type TraceKind } from "../../abi/trace.ts";

/** One bit for each kind of event. */
export function kindMask(kinds: Iterable<TraceKind>): number {
  let mask = 0;
  for (const kind of kinds) mask |= kindBit(kind);
  return mask;
}

const BITS: Readonly<Record<TraceKind, number>> = Object.fromEntries(TRACE_KINDS.map((kind, index) => [kind, 1 << index])) as Record<
  TraceKind,
  number
>;

export function kindBit(kind: TraceKind): number {
  return BITS[kind];
}

/** A reader of events. Made by `TraceHub.read`. */
export class TraceReader {
  #next: number;
  #dropped = 0;

  /** @param from position of the first event that it will see */
  constructor(readonly ring: TraceRing, readonly mask: number, from: number, readonly onClose: (reader: TraceReader) => void) {
    this.#next = from;
  }

  /**
   * Unread events, oldest first, at most `limit` of them; and how many were lost since the last
   * call.
   */
  drain(limit = Infinity): { readonly events: TraceEvent[]; readonly dropped: number } {
    const events: TraceEvent[] = [];
    while (this.#next < this.ring.end && events.length < limit) {
      const event = this.ring.at(this.#next++);
      if (kindBit(event.kind) & this.mask) events.push(event);
    }
    const dropped = this.#dropped;
    this.#dropped = 0;
    return { events, dropped };
  }

  /** The event at `position` makes room for another. */
  lose(position: number, event: TraceEvent): void {
    if (this.#next > position) return;
    this.#next = position + 1;
    if (kindBit(event.kind) & this.mask) this.#dropped++;
  }

  /** It wants no more events. */
  close(): void {
    this.onClose(this);
  }
}

/** The ring. Positions count the events that were ever added. */
export class TraceRing {
  readonly #events: TraceEvent[] = [];
  #end = 0;

  /** @param capacity events that are kept */
  constructor(readonly capacity: number) {}

  /** Position after the newest event. */
  get end(): number {
    return this.#end;
  }

  /** Events that are kept. */
  get size(): number {
    return this.#events.length;
  }

  /** An event that is still kept. */
  at(position: number): TraceEvent {
    return this.#events[position % this.capacity];
  }

  /** Adds an event; `readers` who have not seen the one that it replaces lose that. */
  add(event: TraceEvent, readers: Iterable<TraceReader>): void {
    const place = this.#end % this.capacity;
    if (this.#end >= this.capacity) {
      const oldest = this.#events[place];
      for (const reader of readers) reader.lose(this.#end - this.capacity, oldest);
    }
    this.#events[place] = event;
    this.#end++;
  }
}
