// The events that a session keeps: two bounded rings, so that what happens often does not push out
// what happens seldom.

import {
  BUSY_KINDS,
  COUNTED_KINDS,
  isReached,
  QUIET_KINDS,
  type RunPoint,
  type TraceEvent,
  type TraceKind,
} from "../../../machine/abi/trace.ts";
import type { TraceHub } from "../../../machine/hypervisor/inspect.ts";
import type { Unrecorded } from "../../../model/queries/facts/gap.ts";
import { type UnrecordedMemory, UnrecordedTimes } from "./unrecorded-times.ts";

/** Kinds with some events in the ring of busy events. */
const FREQUENT_KINDS: readonly TraceKind[] = [...BUSY_KINDS, "ioctl"];

/** Name of the running vCPU in the log while scheduling is not recorded. */
export const UNSEEN = "unseen";
/**
 * Names of the events of kind `sched` after which another vCPU, or none, runs on a physical CPU. A
 * VMM's RUN is of that kind, too, and does not change it.
 */
export const SWITCHES: ReadonlySet<string> = new Set(["run", "idle", UNSEEN]);

/** Events that are kept, quiet and busy ones. */
const QUIET_CAPACITY = 20_000;
const BUSY_CAPACITY = 80_000;
export const LOG_CAPACITY = QUIET_CAPACITY + BUSY_CAPACITY;

/** The log of one machine. */
export class EventLog {
  readonly #quiet: Ring;
  readonly #busy: Ring;
  #watched: ReadonlySet<TraceKind> = new Set();
  #budget = Infinity;
  /** Busy events that may still be recorded before the next `renew`. */
  #left = 0;
  #endWatch: (() => void) | undefined;
  readonly #unrecorded = new UnrecordedTimes();

  /**
   * @param cpus physical CPUs of the machine
   * @param capacity events that are kept: a fifth of them quiet ones
   */
  constructor(readonly hub: TraceHub, readonly cpus = 0, capacity = LOG_CAPACITY) {
    this.#quiet = new Ring(Math.ceil(capacity * QUIET_CAPACITY / LOG_CAPACITY));
    this.#busy = new Ring(Math.ceil(capacity * BUSY_CAPACITY / LOG_CAPACITY));
    hub.listen(QUIET_KINDS, (event) => (isFrequent(event) ? this.#busy : this.#quiet).add(event));
  }

  /** Kinds that are recorded now. */
  get kinds(): readonly TraceKind[] {
    return [...QUIET_KINDS, ...this.#watched];
  }

  /** Times that have ended in which some of these kinds were not recorded. */
  unrecorded(kinds: ReadonlySet<TraceKind>): readonly Unrecorded[] {
    return this.#unrecorded.of(kinds);
  }

  /**
   * Records these kinds from now on, in addition to the quiet ones; other busy kinds are no longer
   * recorded.
   * @param budget busy events between two calls of `renew`: further ones are not even built. For
   * views that show only a few of the newest.
   */
  watch(kinds: readonly TraceKind[], budget = Infinity): void {
    const wanted = BUSY_KINDS.filter((kind) => kinds.includes(kind));
    const same = wanted.length === this.#watched.size && wanted.every((kind) => this.#watched.has(kind));
    if (same && budget === this.#budget) return;
    this.#endWatch?.();
    this.#endWatch = undefined;
    if (this.#watched.has("sched") && !wanted.includes("sched")) this.#lookAway();
    this.#watched = new Set(wanted);
    this.#budget = budget;
    this.#unrecorded.watch(this.#watched, budget === Infinity ? "all" : "some", this.hub.now());
    this.renew();
  }

  /** The running vCPU of each physical CPU is unknown from now on. */
  #lookAway(): void {
    const time = this.hub.now();
    for (let pcpu = 0; pcpu < this.cpus; pcpu++) {
      const nothing = { vcpu: "", fields: {}, result: undefined, parent: undefined, why: undefined };
      const place = this.hub.place("sched", time, pcpu);
      this.#busy.add({ ...place, time, end: time, pcpu, kind: "sched", name: UNSEEN, ...nothing });
    }
  }

  /** A new interval: the budget of busy events is whole again. */
  renew(): void {
    this.#left = this.#budget;
    if (!this.#watched.size) return;
    this.#endWatch ??= this.hub.listen(this.#watched, (event) => {
      this.#busy.add(event);
      if (--this.#left > 0) return;
      this.#endWatch?.();
      this.#endWatch = undefined;
    });
  }

  /** Events that are kept. */
  get size(): number {
    return this.#quiet.size + this.#busy.size;
  }

  /** Events that were lost because a ring was full. */
  get dropped(): number {
    return this.#quiet.dropped + this.#busy.dropped;
  }

  /**
   * A place in the log: later events are after it. Events are in the order of their ends, so an id
   * does not say that.
   */
  get cursor(): string {
    return `${this.#quiet.added}.${this.#busy.added}`;
  }

  /** Events after a cursor that are no longer kept. */
  lostSince(cursor: string): number {
    const [quiet, busy] = parseCursor(cursor);
    return Math.max(0, this.#quiet.dropped - quiet) + Math.max(0, this.#busy.dropped - busy);
  }

  /** Events of these kinds after a cursor, newest first. */
  *newest(kinds: ReadonlySet<TraceKind>, after = "0.0"): Generator<TraceEvent> {
    const [afterQuiet, afterBusy] = parseCursor(after);
    const firstQuiet = Math.max(0, afterQuiet - this.#quiet.dropped), firstBusy = Math.max(0, afterBusy - this.#busy.dropped);
    // Reads of rare kinds alone need not walk over all frequent events.
    const isBusy = FREQUENT_KINDS.some((kind) => kinds.has(kind));
    let quiet = this.#quiet.size, busy = isBusy ? this.#busy.size : firstBusy;
    while (quiet > firstQuiet || busy > firstBusy) {
      const a = quiet > firstQuiet ? this.#quiet.at(quiet - 1) : undefined;
      const b = busy > firstBusy ? this.#busy.at(busy - 1) : undefined;
      const first = !b || a && (a.end > b.end || a.end === b.end && a.id > b.id) ? a! : b;
      if (first === a) quiet--;
      else busy--;
      if (kinds.has(first.kind)) yield first;
    }
  }

  /** The events kept now, for the log of another machine at this place of the run. */
  remember(): EventMemory {
    return { quiet: this.#quiet.remember(), busy: this.#busy.remember(), unrecorded: this.#unrecorded.remember() };
  }

  /** Takes up what another log kept at the place where this machine is. */
  recall({ quiet, busy, unrecorded }: EventMemory): void {
    this.#quiet.recall(quiet);
    this.#busy.recall(busy);
    this.#unrecorded.recall(unrecorded, this.hub.now());
  }

  /**
   * The machine has run again from one place to another: replaces the events of that part by those
   * of the first run's log, busy events included.
   * @param began the content of this log at the beginning of that part
   * @param here where the machine is
   */
  follow(first: EventLog, began: EventMemory | undefined, here: RunPoint): void {
    const now = this.hub.now();
    this.#unrecorded.recall(first.#unrecorded.until(now), now);
    const quiet = began ? began.quiet.size + began.quiet.dropped : 0, busy = began ? began.busy.size + began.busy.dropped : 0;
    const isBefore = ({ at }: TraceEvent) => isReached(at, here);
    if (first.#quiet.dropped <= quiet) {
      // Events from outside the machine may be missing from the second run.
      let left = 0;
      for (let index = this.#quiet.size; index-- > Math.max(0, quiet - this.#quiet.dropped);) if (isRepeated(this.#quiet.at(index))) left++;
      this.#quiet.cut(quiet);
      for (let index = quiet - first.#quiet.dropped; index < first.#quiet.size; index++) {
        const event = first.#quiet.at(index);
        if (isRepeated(event) ? left-- <= 0 : !isBefore(event)) break;
        this.#quiet.add(event);
      }
    }
    if (first.#busy.added <= busy) return;
    this.#busy.cut(busy);
    const oldest = Math.max(busy, first.#busy.dropped);
    for (let index = oldest - first.#busy.dropped; index < first.#busy.size; index++) {
      const event = first.#busy.at(index);
      if (!isBefore(event)) break;
      this.#busy.add(event);
    }
  }
}

/** The content of a log at a place of the run. */
export interface EventMemory {
  readonly quiet: RingMemory;
  readonly busy: RingMemory;
  readonly unrecorded: UnrecordedMemory;
}

/** A run that is run again has it again. */
const isRepeated = ({ kind }: TraceEvent) => COUNTED_KINDS.has(kind);

/** One of a quiet kind that comes as often as a vCPU exits. */
function isFrequent({ kind, name }: TraceEvent): boolean {
  return kind === "ioctl" && name.endsWith("VCPU_RUN");
}

function parseCursor(cursor: string): [quiet: number, busy: number] {
  const [quiet, busy] = cursor.split(".").map(Number);
  return Number.isInteger(quiet) && Number.isInteger(busy) ? [quiet, busy] : [0, 0];
}

/** Events of a part of a ring. */
const CHUNK = 1000;

/** The content of a ring at a place of the run: its parts are shared with it. */
interface RingMemory {
  readonly chunks: readonly (readonly TraceEvent[])[];
  readonly size: number;
  readonly dropped: number;
  readonly skipped: number;
}

/** The newest events of a ring, for a file. */
export interface KeptEvents {
  readonly events: readonly TraceEvent[];
  /** Events that were ever added. */
  readonly added: number;
}

/** The newest events of a ring, at most `most`. */
export function keptEvents({ chunks, size, dropped, skipped }: RingMemory, most: number): KeptEvents {
  const events = chunks.flat().slice(skipped, skipped + size);
  return { events: events.slice(-most).map(asData), added: size + dropped };
}

/** An event as data: that of a system call makes its texts when they are read. */
function asData(event: TraceEvent): TraceEvent {
  if (Object.getPrototypeOf(event) === Object.prototype) return event;
  const { id, number, kind, operation, time, end, at, pcpu, vcpu, name, fields, result, parent, why } = event;
  return { id, number, kind, operation, time, end, at, pcpu, vcpu, name, fields, result, parent, why };
}

/**
 * The content of a ring with these events.
 * @throws Error if there are more than were ever added
 */
export function ringOf({ events, added }: KeptEvents): RingMemory {
  if (events.length > added) throw new Error(`${events.length} events are kept of ${added}`);
  const chunks = Array.from({ length: Math.ceil(events.length / CHUNK) }, (_, index) => events.slice(index * CHUNK, (index + 1) * CHUNK));
  return { chunks, size: events.length, dropped: added - events.length, skipped: 0 };
}

/** A ring of events, oldest first, in parts that other rings may share once they are full. */
class Ring {
  #chunks: TraceEvent[][] = [];
  /** Events of the first part that are no longer kept. */
  #skipped = 0;
  size = 0;
  dropped = 0;

  constructor(readonly capacity: number) {}

  /** Events that were ever added. */
  get added(): number {
    return this.size + this.dropped;
  }

  at(index: number): TraceEvent {
    const place = this.#skipped + index;
    return this.#chunks[Math.floor(place / CHUNK)][place % CHUNK];
  }

  add(event: TraceEvent): void {
    const last = this.#chunks.at(-1);
    if (last && last.length < CHUNK) last.push(event);
    else this.#chunks.push([event]);
    this.size++;
    if (this.size <= this.capacity) return;
    this.size--;
    this.dropped++;
    if (++this.#skipped < CHUNK) return;
    this.#skipped = 0;
    this.#chunks.shift();
  }

  remember(): RingMemory {
    return { chunks: [...this.#chunks], size: this.size, dropped: this.dropped, skipped: this.#skipped };
  }

  recall({ chunks, size, dropped, skipped }: RingMemory): void {
    this.size = size;
    this.dropped = dropped;
    this.#skipped = skipped;
    const parts = Math.ceil((skipped + size) / CHUNK);
    // The last part has grown since, and grows in another way here.
    this.#chunks = chunks.slice(0, parts).map((chunk, index) =>
      index === parts - 1 ? chunk.slice(0, skipped + size - index * CHUNK) : chunk as TraceEvent[]
    );
  }

  /** Removes the newest events until only `added` were ever added. */
  cut(added: number): void {
    this.recall({ ...this.remember(), size: Math.max(0, added - this.dropped) });
  }
}
