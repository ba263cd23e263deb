// The scheduler's timeline as data: what each vCPU did when, from the switches of physical CPUs.

import type { LaneState } from "../../terminal/glyphs.ts";
import type { BlockCode } from "../../../../machine/abi/trace.ts";
import type { RowOf } from "../../../../model/queries/table.ts";
import type { SLICES } from "../../../../model/queries/tables.ts";
import { nameOf } from "../../../../model/queries/ids.ts";
import { firstIndex } from "../../../../kit/support/values/in-order.ts";

/** A switch of a physical CPU. */
export type Slice = RowOf<typeof SLICES>;

/** A time span, from one virtual time (ns) to before another. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** A vCPU, or none, on a physical CPU; `unseen`: not recorded. */
export interface CpuSpan extends Span {
  readonly vcpu: string | undefined;
  readonly unseen: boolean;
}

/** State of a vCPU. */
export interface VcpuSpan extends Span {
  readonly state: LaneState;
}

/** The lanes of a machine. */
export interface Lanes {
  readonly cpus: ReadonlyMap<number, readonly CpuSpan[]>;
  /** By `VM/INDEX`. */
  readonly vcpus: ReadonlyMap<string, readonly VcpuSpan[]>;
  /** Times (ns) for which a vCPU could run and waited for a physical CPU, until it got one. */
  readonly waits: ReadonlyMap<string, readonly number[]>;
}

/** The state of a vCPU that has stopped running. */
function stateAfter(waits: readonly BlockCode[]): LaneState {
  if (waits.includes("mmio")) return "vmm";
  if (waits.includes("suspended") || waits.includes("power-on")) return "suspended";
  return waits[0] === "vcpu_run" ? "vmm" : "waits";
}

/** A span that may still grow. */
type Open<S extends Span> = { -readonly [K in keyof S]: S[K] };

/** Lanes that grow with the switches: what is known already is not counted again. */
export class GrowingLanes implements Lanes {
  readonly cpus = new Map<number, Open<CpuSpan>[]>();
  readonly vcpus = new Map<string, Open<VcpuSpan>[]>();
  readonly waits = new Map<string, number[]>();
  /** The last span of each, unless nobody knows how it continues. */
  readonly #running = new Map<number, Open<CpuSpan>>();
  readonly #last = new Map<string, Open<VcpuSpan>>();

  /** Takes the switches that follow, up to `now`. */
  add(rows: readonly Slice[], now: number): void {
    for (const row of rows) this.#add(row);
    for (const span of [...this.#running.values(), ...this.#last.values()]) span.to = Math.max(now, span.from);
  }

  #add(row: Slice): void {
    const cpu = row.pcpu, at = Number(row.t), { fact } = row, unseen = !row.seen;
    const before = this.#running.get(cpu);
    if (before) before.to = at;
    // While nothing was recorded, the vCPUs that ran are unknown.
    if (unseen && before?.vcpu !== undefined) {
      const ran = this.#last.get(before.vcpu);
      if (ran) ran.to = at;
      this.#last.delete(before.vcpu);
    } else if (fact && fact.code !== "unseen") {
      this.#enter(nameOf(fact.vcpu), at, fact.code === "waits" ? stateAfter(fact.waits) : "ready");
    }
    const vcpu = row.vcpu === null ? undefined : nameOf(row.vcpu);
    if (vcpu !== undefined) this.#enter(vcpu, at, "runs");
    const span = { from: at, to: at, vcpu, unseen };
    push(this.cpus, cpu, span);
    this.#running.set(cpu, span);
  }

  #enter(vcpu: string, at: number, state: LaneState): void {
    const before = this.#last.get(vcpu);
    if (before) before.to = at;
    if (before?.state === "ready") push(this.waits, vcpu, at - before.from);
    const span = { from: at, to: at, state };
    push(this.vcpus, vcpu, span);
    this.#last.set(vcpu, span);
  }
}

/** Lanes from the switches until `now`. */
export function lanesOf(rows: readonly Slice[], now: number): Lanes {
  const lanes = new GrowingLanes();
  lanes.add(rows, now);
  return lanes;
}

function push<K, V>(lists: Map<K, V[]>, key: K, value: V): void {
  const list = lists.get(key);
  if (list) list.push(value);
  else lists.set(key, [value]);
}

/**
 * The content of each of `width` columns, `step` ns each: of the spans in it the one with the most
 * time, where `weight` makes some count more.
 */
export function columnsOf<S extends Span>(
  spans: readonly S[],
  start: number,
  step: number,
  width: number,
  weight: (span: S) => number = () => 1,
): (S | undefined)[] {
  const found: (S | undefined)[] = Array.from({ length: width }, () => undefined);
  const most = new Float64Array(width);
  const end = start + width * step;
  for (let at = firstAfter(spans, start); at < spans.length && spans[at].from < end; at++) {
    const span = spans[at];
    const from = Math.max(span.from, start), to = Math.min(span.to, end);
    for (let column = Math.floor((from - start) / step); column < width && start + column * step < to; column++) {
      const time = (Math.min(to, start + (column + 1) * step) - Math.max(from, start + column * step)) * weight(span);
      if (time > most[column]) {
        most[column] = time;
        found[column] = span;
      }
    }
  }
  return found;
}

/** Whether anything was recorded in each of `width` columns, `step` ns each. */
export function recordedColumns({ cpus }: Lanes, start: number, step: number, width: number): boolean[] {
  const found: boolean[] = Array.from({ length: width }, () => false), end = start + width * step;
  for (const spans of cpus.values()) {
    for (let at = firstAfter(spans, start); at < spans.length && spans[at].from < end; at++) {
      const { from, to, unseen } = spans[at];
      if (!unseen) found.fill(true, Math.max(Math.floor((from - start) / step), 0), Math.ceil((to - start) / step));
    }
  }
  return found;
}

/** Whether a vCPU ran between two times (ns). */
export function runsBetween(spans: readonly VcpuSpan[], start: number, end: number): boolean {
  for (let at = firstAfter(spans, start); at < spans.length && spans[at].from < end; at++) if (spans[at].state === "runs") return true;
  return false;
}

/** Index of the first span that ends after a time. */
const firstAfter = (spans: readonly Span[], time: number): number => firstIndex(spans.length, (index) => spans[index].to > time);

/**
 * The share of a time for which a physical CPU was busy, 0 to 1; undefined if nothing was
 * recorded.
 */
export function busyShare(spans: readonly CpuSpan[], from: number, to: number): number | undefined {
  let busy = 0, seen = 0;
  for (let at = firstAfter(spans, from); at < spans.length && spans[at].from < to; at++) {
    const { vcpu, unseen } = spans[at];
    const time = Math.min(spans[at].to, to) - Math.max(spans[at].from, from);
    if (!unseen) seen += time;
    if (vcpu !== undefined) busy += time;
  }
  return seen > 0 ? busy / seen : undefined;
}

/** How long a vCPU that could run waited for a physical CPU: half of the times less, and 99 %. */
export interface WaitTimes {
  readonly vcpu: string;
  readonly middle: number;
  readonly p99: number;
  readonly count: number;
}

/** Those of all vCPUs that waited, the longest of 99 % first. */
export function waitTimes({ vcpus, waits }: Lanes): WaitTimes[] {
  const found = [...vcpus].flatMap(([vcpu, spans]): WaitTimes[] => {
    const last = spans.at(-1), still = last?.state === "ready" ? [last.to - last.from] : [];
    const times = Float64Array.from([...waits.get(vcpu) ?? [], ...still]).sort();
    const at = (share: number) => times[Math.min(Math.floor(times.length * share), times.length - 1)];
    return times.length ? [{ vcpu, middle: at(0.5), p99: at(0.99), count: times.length }] : [];
  });
  return found.sort((a, b) => b.p99 - a.p99);
}

/** Times (ns) of an axis: round ones, at least `apart` columns of `step` ns from each other. */
export function ticksOf(start: number, step: number, width: number, apart: number): number[] {
  let between = 1000;
  for (let at = 0; between < apart * step; at++) between = 10 ** (3 + Math.floor(at / 3)) * [1, 2, 5][at % 3];
  const ticks: number[] = [];
  for (let tick = Math.max(Math.ceil(start / between) * between, 0); tick < start + width * step; tick += between) ticks.push(tick);
  return ticks;
}
