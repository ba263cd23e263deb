// How long things of a run took: an interrupt from its source to its acknowledgment, a timer from
// when it was due, a message from its sender to its receiver, requests to the Resource Manager and
// to disks, and accesses that a VMM answers.

import type { TraceEvent, TraceKind } from "../../../machine/abi/trace.ts";
import { vmOfName, withoutKind } from "../../../model/queries/ids.ts";
import type { QueueObserver } from "../../../machine/virtio/virtqueue.ts";

/** Kinds of things that take time. */
export type LatencyOf = "interrupt" | "timer" | "message" | "rpc" | "mmio" | "disk";

/** One that took longest. */
export interface WorstLatency {
  /** Virtual time (ns) that it took. */
  readonly took: number;
  /** Virtual time (ns) at its end, and instructions that had been retired there. */
  readonly time: number;
  readonly at: number;
  /** The number of its run, from 1. */
  readonly run: number;
}

/** Things of one kind that one object or VM had. */
export interface Latency {
  readonly vm: string;
  readonly of: LatencyOf;
  /** The interrupt and its source, the queue, the message of the protocol, the vCPU, the disk. */
  readonly name: string;
  readonly count: number;
  /** Virtual times (ns) that a half, 90 % and 99 % of all took at most. */
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  /** How many took at most so long (ns): by powers of two. */
  readonly buckets: readonly (readonly [most: number, count: number])[];
  /** The longest first. */
  readonly worst: readonly WorstLatency[];
}

/** The worst that are kept of each. */
const WORST = 5;
/** Steps of a power of two in which times are counted: percentiles are exact to 1 %. */
const STEPS = 128;
const STEP_BITS = Math.log2(STEPS);

/** The beginning of one. */
interface Begun {
  readonly time: number;
  readonly name: string;
  readonly of: LatencyOf;
}

/** Something about an interrupt of a machine, and of a private one by the index of its vCPU. */
type OfInterrupt<T> = (irq: string, index: number | undefined) => T;

/** Virtual time (ns), and instructions that had been retired. */
type Here = Pick<WorstLatency, "time" | "at">;

export class Latencies {
  readonly kinds = ["virq", "msg", "rpc", "sched"] as const satisfies readonly TraceKind[];
  readonly #found = new Map<string, Times>();
  /** Interrupts that are raised, by id, and those of vCPUs by both. */
  readonly #raised = new Map<string, Begun>();
  /** Times at which the messages of a queue were sent, the oldest first. */
  readonly #sent = new Map<string, number[]>();
  /** VCPUs that wait for an answer. */
  readonly #waiting = new Map<string, number>();
  /** Times at which interrupts were raised last. */
  readonly #lastRaised = new Map<string, number>();
  #run = 0;
  #isPending: OfInterrupt<boolean> = () => false;
  #due: OfInterrupt<number | undefined> = () => undefined;

  /**
   * A run begins.
   * @param isPending whether an interrupt is pending
   * @param due virtual time (ns) from which the timer of an interrupt is due, if it has one
   */
  begin(isPending: OfInterrupt<boolean>, due: OfInterrupt<number | undefined> = () => undefined): void {
    this.#run++;
    this.#isPending = isPending;
    this.#due = due;
    for (const map of [this.#raised, this.#sent, this.#waiting, this.#lastRaised]) map.clear();
  }

  /**
   * Observes the requests of a disk in the run that has begun. A request begins when the disk first
   * finds it available.
   */
  disk(vm: string, name: string, here: () => Here): QueueObserver {
    let available: number[] = [], taken = new Map<number, number>();
    return {
      looked: (count) => {
        while (available.length < count) available.push(here().time);
      },
      taken: (head) => void taken.set(head, available.shift() ?? here().time),
      used: (head) => {
        const since = taken.get(head);
        taken.delete(head);
        if (since !== undefined) this.#add({ vm, of: "disk", name, since }, here());
      },
      reset: () => [available, taken] = [[], new Map()],
    };
  }

  get all(): Latency[] {
    return Array.from(this.#found.values(), (times) => times.all);
  }

  see(event: TraceEvent): void {
    if (event.kind === "virq") this.#interrupt(event);
    else if (event.kind === "msg") this.#message(event);
    else if (event.kind === "sched") this.#switched(event);
    else if (event.operation) this.#took(event, vmOfName(event.vcpu), "rpc", event.name, event.time);
  }

  #interrupt(event: TraceEvent): void {
    const { name, vcpu, fields: { irq, source, vcpu: index } } = event;
    if (typeof irq !== "string") return;
    if (name === "raise" || name === "pulse") {
      const cpu = typeof index === "number" ? index : undefined, key = cpu === undefined ? irq : `${irq} ${cpu}`;
      // A line may have fallen before anybody took its interrupt.
      if (!this.#raised.has(key) || !this.#isPending(irq, cpu)) {
        const due = this.#due(irq, cpu), last = this.#lastRaised.get(key) ?? 0;
        // A timer that is on since before is due since its line rose.
        const time = due !== undefined && due > last ? Math.min(due, event.end) : event.end;
        this.#raised.set(key, { time, name: `${irq} (${source})`, of: due === undefined ? "interrupt" : "timer" });
      }
      this.#lastRaised.set(key, event.end);
    } else if (name === "acknowledge") {
      const own = `${irq} ${vcpu.slice(vcpu.lastIndexOf("/") + 1)}`, key = this.#raised.has(own) ? own : irq, begun = this.#raised.get(key);
      if (!begun) return;
      this.#raised.delete(key);
      this.#took(event, vmOfName(vcpu), begun.of, begun.name, begun.time);
    }
  }

  #message(event: TraceEvent): void {
    const { name, vcpu, end, fields: { queue } } = event;
    if (typeof queue !== "string") return;
    let sent = this.#sent.get(queue);
    if (!sent) this.#sent.set(queue, sent = []);
    if (name === "send") return void sent.push(end);
    const time = name === "receive" ? sent.shift() : undefined;
    if (time !== undefined) this.#took(event, vmOfName(vcpu), "message", queue, time);
  }

  /** A vCPU whose access a VMM answers is blocked meanwhile. */
  #switched(event: TraceEvent): void {
    const { end, fields: { from, to, blocked } } = event;
    if (typeof from === "string" && Array.isArray(blocked) && blocked.includes("mmio")) this.#waiting.set(from, end);
    const since = typeof to === "string" ? this.#waiting.get(to) : undefined;
    if (typeof to !== "string" || since === undefined) return;
    this.#waiting.delete(to);
    this.#took(event, vmOfName(withoutKind("vcpu", to)), "mmio", to, since);
  }

  #took({ end, at: { retired } }: TraceEvent, vm: string, of: LatencyOf, name: string, since: number): void {
    this.#add({ vm, of, name, since }, { time: end, at: retired });
  }

  #add({ vm, of, name, since }: Pick<Latency, "vm" | "of" | "name"> & { readonly since: number }, { time, at }: Here): void {
    const key = [vm, of, name].join("\0");
    let times = this.#found.get(key);
    if (!times) this.#found.set(key, times = new Times(vm, of, name));
    times.add({ took: time - since, time, at, run: this.#run });
  }
}

/** The times of one row. */
class Times {
  /** By step: how many. */
  readonly #steps = new Map<number, number>();
  readonly #worst: WorstLatency[] = [];
  #count = 0;

  constructor(readonly vm: string, readonly of: LatencyOf, readonly name: string) {}

  add(one: WorstLatency): void {
    const step = stepOf(one.took);
    this.#count++;
    this.#steps.set(step, (this.#steps.get(step) ?? 0) + 1);
    const worst = this.#worst, last = worst.at(-1);
    if (last && worst.length === WORST && one.took <= last.took) return;
    // Of equal ones the first stays.
    const place = worst.findIndex(({ took }) => took < one.took);
    worst.splice(place < 0 ? worst.length : place, 0, one);
    if (worst.length > WORST) worst.pop();
  }

  get all(): Latency {
    const { vm, of, name } = this, steps = [...this.#steps].sort(([one], [other]) => one - other);
    const percentile = (share: number) => {
      let rest = Math.ceil(share * this.#count);
      for (const [step, count] of steps) if ((rest -= count) <= 0) return Math.min(mostOf(step), this.#worst[0].took);
      return 0;
    };
    const buckets = new Map<number, number>();
    for (const [step, count] of steps) {
      const most = 2 ** Math.ceil(Math.log2(Math.max(1, mostOf(step))));
      buckets.set(most, (buckets.get(most) ?? 0) + count);
    }
    const [p50, p90, p99] = [0.5, 0.9, 0.99].map(percentile);
    return { vm, of, name, count: this.#count, p50, p90, p99, buckets: [...buckets], worst: [...this.#worst] };
  }
}

/**
 * The step of a time (ns): each below `STEPS` has its own, then there are so many a power of two.
 */
function stepOf(took: number): number {
  const whole = Math.ceil(took);
  if (whole < STEPS) return whole;
  const power = Math.floor(Math.log2(whole)) - STEP_BITS;
  return STEPS * (power + 1) + Math.floor(whole / 2 ** power) - STEPS;
}

/** The longest time of a step. */
function mostOf(step: number): number {
  if (step < STEPS) return step;
  const power = Math.floor(step / STEPS) - 1;
  return (step % STEPS + STEPS + 1) * 2 ** power - 1;
}
