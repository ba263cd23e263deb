// The events that a session keeps: two bounded rings, so that what happens often does not push out
// what happens seldom.

import type { TraceEvent, TraceKind } from "../abi/trace.ts";
import type { TraceHub } from "../hypervisor/trace/trace-hub.ts";

/** Kinds that are always recorded: they are few. */
export const QUIET_KINDS: readonly TraceKind[] = ["rpc", "ioctl", "state", "psci", "dev", "rule", "log"];
/** Kinds that are recorded while somebody looks. */
export const BUSY_KINDS: readonly TraceKind[] = ["hvc", "trap", "virq", "msg", "sched", "mmio", "mem"];

/** Kinds of which the ring of busy events has some. */
const FREQUENT_KINDS: readonly TraceKind[] = [...BUSY_KINDS, "ioctl"];

/** Name of what stands in the log where nobody records any more who runs. */
export const UNSEEN = "unseen";
/**
 * Names of the events of kind `sched` that say who runs on a physical CPU from then on; a VMM's RUN
 * is of that kind, too, and is none.
 */
export const SWITCHES: ReadonlySet<string> = new Set(["run", "idle", UNSEEN]);

const QUIET_CAPACITY = 20_000;
const BUSY_CAPACITY = 80_000;

/** The log of one machine. */
export class EventLog {
  readonly #quiet = new Ring(QUIET_CAPACITY);
  readonly #busy = new Ring(BUSY_CAPACITY);
  #watched: ReadonlySet<TraceKind> = new Set();
  #budget = Infinity;
  /** Busy events that may still be recorded before the next `renew`. */
  #left = 0;
  #endWatch: (() => void) | undefined;

  /** @param cpus physical CPUs of the machine */
  constructor(readonly hub: TraceHub, readonly cpus = 0) {
    hub.listen(QUIET_KINDS, (event) => (isFrequent(event) ? this.#busy : this.#quiet).add(event));
  }

  /** Kinds that are recorded now. */
  get kinds(): readonly TraceKind[] {
    return [...QUIET_KINDS, ...this.#watched];
  }

  /**
   * Records these kinds from now on beside the quiet ones; kinds that are busy and not named are
   * recorded no more.
   * @param budget busy events between two calls of `renew`: the others are not even made. For who
   * looks at a few of the newest.
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
    this.renew();
  }

  /** Who runs on each physical CPU is not known from now on. */
  #lookAway(): void {
    const time = this.hub.now();
    for (let pcpu = 0; pcpu < this.cpus; pcpu++) {
      const nothing = { vcpu: "", fields: {}, result: undefined, parent: undefined, why: undefined };
      this.#busy.add({ id: this.hub.takeId(), time, end: time, pcpu, kind: "sched", name: UNSEEN, ...nothing });
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

  /** Events that were lost because a ring was full. */
  get dropped(): number {
    return this.#quiet.dropped + this.#busy.dropped;
  }

  /**
   * A place in the log: what comes later is behind it. Events are in the order of their ends, so an
   * id does not say that.
   */
  get cursor(): string {
    return `${this.#quiet.added}.${this.#busy.added}`;
  }

  /** Events behind a cursor that are no longer kept. */
  lostSince(cursor: string): number {
    const [quiet, busy] = parseCursor(cursor);
    return Math.max(0, this.#quiet.dropped - quiet) + Math.max(0, this.#busy.dropped - busy);
  }

  /** Events of these kinds behind a cursor, newest first. */
  *newest(kinds: ReadonlySet<TraceKind>, after = "0.0"): Generator<TraceEvent> {
    const [afterQuiet, afterBusy] = parseCursor(after);
    const firstQuiet = Math.max(0, afterQuiet - this.#quiet.dropped), firstBusy = Math.max(0, afterBusy - this.#busy.dropped);
    // Who asks for seldom things alone need not walk over all that happens often.
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

  /** The event with this number, while it is kept. */
  find(id: number): TraceEvent | undefined {
    return this.#quiet.find(id) ?? this.#busy.find(id);
  }
}

/** One of a quiet kind that comes as often as a vCPU exits. */
function isFrequent({ kind, name }: TraceEvent): boolean {
  return kind === "ioctl" && name.endsWith("VCPU_RUN");
}

function parseCursor(cursor: string): [quiet: number, busy: number] {
  const [quiet, busy] = cursor.split(".").map(Number);
  return Number.isInteger(quiet) && Number.isInteger(busy) ? [quiet, busy] : [0, 0];
}

/** A ring of events, oldest first. */
class Ring {
  readonly #events: TraceEvent[] = [];
  #start = 0;
  dropped = 0;

  constructor(readonly capacity: number) {}

  get size(): number {
    return this.#events.length;
  }

  /** Events that were ever added. */
  get added(): number {
    return this.#events.length + this.dropped;
  }

  at(index: number): TraceEvent {
    return this.#events[(this.#start + index) % this.#events.length];
  }

  add(event: TraceEvent): void {
    if (this.#events.length < this.capacity) {
      this.#events.push(event);
      return;
    }
    this.#events[this.#start] = event;
    this.#start = (this.#start + 1) % this.capacity;
    this.dropped++;
  }

  find(id: number): TraceEvent | undefined {
    for (let index = this.size - 1; index >= 0; index--) if (this.at(index).id === id) return this.at(index);
    return undefined;
  }
}
