// The event queue: actions at a virtual time. Events of one time occur in the order in which they
// were made.

import type { Archive } from "./archive.ts";

/** The place of an event among others. */
export interface EventOrder {
  /** Virtual time in ns. */
  readonly at: number;
  /** Its number in the order of making. */
  readonly order: number;
}

/** A scheduled event; `cancel` removes it. */
export interface Scheduled extends EventOrder {
  cancel(): void;
}

class Event implements Scheduled {
  cancelled = false;
  constructor(readonly at: number, readonly order: number, readonly action: () => void, readonly onCancel: () => void) {}
  cancel(): void {
    if (this.cancelled) return;
    this.cancelled = true;
    this.onCancel();
  }
}

/**
 * Cancelled events that may stay in a queue: a guest that sets its timer again and again must not
 * make it grow.
 */
const CANCELLED_LIMIT = 256;

const isBefore = (a: Event, b: Event) => a.at < b.at || a.at === b.at && a.order < b.order;

/** A queue of events, as a binary heap. */
export class EventQueue {
  #heap: Event[] = [];
  #made = 0;
  /** No fewer than the cancelled events in the heap. */
  #cancelled = 0;

  /** Calls `action` when virtual time reaches `at` (ns). */
  schedule(at: number, action: () => void): Scheduled {
    if (this.#cancelled > CANCELLED_LIMIT) this.#compact();
    return this.put({ at, order: this.#made++ }, action);
  }

  /** Number of the next event, saved or loaded. */
  archive(archive: Archive): void {
    this.#made = archive.integer("made", this.#made);
  }

  /** An event, saved or loaded by its owner. */
  archiveEvent(name: string, archive: Archive, event: Scheduled | undefined, action: () => void): Scheduled | undefined {
    return archive.maybe(name, event, (known) => {
      const at = archive.float("at", known?.at), order = archive.integer("order", known?.order);
      archive.check(at >= 0 && at < Infinity, "an event has a time");
      return known ?? this.put({ at, order }, action);
    });
  }

  /** An event that is loaded, at its place. */
  put({ at, order }: EventOrder, action: () => void): Scheduled {
    const event = new Event(at, order, action, () => this.#cancelled++);
    this.#push(event);
    return event;
  }

  clear(): void {
    this.#heap = [];
    this.#cancelled = 0;
  }

  /** How many events are kept, cancelled ones included. */
  get length(): number {
    return this.#heap.length;
  }

  #push(event: Event): void {
    const heap = this.#heap;
    let index = heap.push(event) - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!isBefore(event, heap[parent])) break;
      heap[index] = heap[parent];
      index = parent;
    }
    heap[index] = event;
  }

  #compact(): void {
    const kept = this.#heap.filter((event) => !event.cancelled);
    this.#heap = [];
    this.#cancelled = 0;
    for (const event of kept) this.#push(event);
  }

  /** Time of the next event; Infinity when there is none. */
  get next(): number {
    while (this.#heap[0]?.cancelled) this.#pop();
    return this.#heap[0]?.at ?? Infinity;
  }

  /**
   * Performs everything due at `now` or before, in order; also what those events schedule for then.
   */
  runDue(now: number): void {
    while (this.next <= now) this.#pop().action();
  }

  #pop(): Event {
    const heap = this.#heap;
    const top = heap[0];
    const last = heap.pop();
    if (last === undefined) throw new Error("there is no event");
    if (heap.length > 0) {
      let index = 0;
      for (;;) {
        let child = 2 * index + 1;
        if (child >= heap.length) break;
        if (child + 1 < heap.length && isBefore(heap[child + 1], heap[child])) child++;
        if (!isBefore(heap[child], last)) break;
        heap[index] = heap[child];
        index = child;
      }
      heap[index] = last;
    }
    return top;
  }
}
