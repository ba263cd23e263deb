// The machine's activity in the last minute, from samples that come anyway, so it costs the machine
// nothing.

import { Histories, KEPT } from "../../look/history.ts";
import type { ShownSpeed } from "../../look/numbers.ts";
import type { MachineSample, VcpuSample } from "../../../../model/protocol/protocol.ts";
import { pcpuId, vcpuId, vcpuName, vmId } from "../../../../model/queries/ids.ts";

/** A VM's part of a physical CPU. */
interface CpuPart {
  readonly vm: string;
  /** 0 to 1. */
  readonly share: number;
}

/** Activity of one physical CPU. */
interface CpuUse {
  readonly parts: readonly CpuPart[];
  /** 0 to 1. */
  readonly share: number;
  /** The vCPU that runs on it, `debian/0`. */
  readonly runs: string | undefined;
}

/** Wall time (ms) over which refusals are counted. */
const SECOND = 1000;

/** The id of the machine's speed. */
export const MIPS = "mips";

/** States of a vCPU that can run. */
const RUNNABLE: readonly string[] = ["RUN", "READY"] satisfies readonly VcpuSample["state"][];

export class Activity {
  readonly histories: Histories;
  readonly #all: Histories[] = [];
  readonly #rates = new Map<string, number>();
  #cpus: readonly CpuUse[] = [];
  #moves = true;
  #speed: ShownSpeed = "starting";
  /** Speeds (MIPS) that were shown in the last minute. */
  #shown: readonly { readonly at: number; readonly mips: number }[] = [];
  /** Refusals so far, and the wall time (ms) of the last new one. */
  #reasons: number | undefined;
  #refusedAt = -Infinity;
  /** Refusals so far, in the samples of the last second. */
  #counts: readonly { readonly at: number; readonly reasons: number }[] = [];
  #time = 0;
  /** Bytes of memory that each VM owns, by name. */
  memory: ReadonlyMap<string, number> = new Map();

  /** @param motion histories advance by themselves; otherwise `refresh` shows new values */
  constructor(readonly motion = true) {
    this.histories = this.newHistories();
  }

  /** Histories of something else that move when these do. */
  newHistories(): Histories {
    const histories = new Histories(this.motion);
    this.#all.push(histories);
    return histories;
  }

  /** Histories rest while nobody looks. */
  rest(resting: boolean): void {
    for (const histories of this.#all) histories.rest(resting);
  }

  /** Shows what has come, where histories do not advance by themselves. */
  refresh(): void {
    for (const histories of this.#all) histories.refresh();
  }

  /** Seconds after which histories advance. */
  set stride(seconds: number) {
    for (const histories of this.#all) histories.stride = seconds;
  }

  /** Whether the machine runs by itself: a speed is over time in which it does. */
  set moves(moves: boolean) {
    this.#moves = moves;
    if (!moves) this.#speed = undefined;
  }

  /** Takes a sample at a wall time (ms): for figures too, or for histories only. */
  add(now: number, sample: MachineSample, what: "figures" | "histories" = "figures"): void {
    const before = this.#reasons ?? sample.reasons;
    if (sample.reasons > before) this.#refusedAt = now;
    this.#reasons = sample.reasons;
    this.#time = sample.time;
    this.#counts = [...this.#counts.filter((one) => now - one.at < SECOND), { at: now, reasons: sample.reasons }];
    this.#rates.set("refusals", sample.reasons - this.#counts[0].reasons);
    const cpus = Array.from({ length: sample.physicalCpus }, (_, cpu) => cpuUse(sample, cpu));
    if (what === "figures") {
      this.#cpus = cpus;
      this.#takeSpeed(now, sample);
    }
    const amounts: [string, number][] = [[MIPS, sample.mips]];
    for (const { name, vcpus } of sample.vms) {
      amounts.push([vmId(name), Math.min(vcpus.reduce((sum, { load }) => sum + load, 0), 1)]);
      for (const { index, load } of vcpus) amounts.push([vcpuId(vcpuName(name, index)), load]);
    }
    cpus.forEach(({ share }, cpu) => amounts.push([pcpuId(cpu), share]));
    for (const [name, rate] of this.#rates) amounts.push([name, rate]);
    this.histories.add(now, amounts);
  }

  #takeSpeed(now: number, { mips, time, vms }: MachineSample): void {
    const { load } = this, runs = vms.some(({ vcpus }) => vcpus.some(({ state }) => RUNNABLE.includes(state)));
    // The first sample of a machine has no rates: they are over the time since the one before.
    const isFirst = !this.measured && (time === 0 || runs && mips === 0 && load === 0);
    if (!this.#moves || isFirst) return;
    this.#speed = { mips, load, runs };
    this.#shown = [...this.#shown.filter(({ at }) => now - at < KEPT * SECOND), { at: now, mips }];
  }

  /** A rate per second, from an answer of the session. */
  rate(name: string, value: number): void {
    this.#rates.set(name, value);
  }

  /** Known rates, per second. */
  get rates(): ReadonlyMap<string, number> {
    return this.#rates;
  }

  /** Virtual time (ns) of the last sample. */
  get time(): number {
    return this.#time;
  }

  /** Guest instructions per second of wall time now. */
  get speed(): ShownSpeed {
    return this.#speed;
  }

  /** Whether it has a value. */
  get measured(): boolean {
    return typeof this.#speed === "object";
  }

  /** The highest speed (MIPS) in the last minute, of those that were shown and in the history. */
  get peak(): number {
    return Math.max(...this.histories.of(MIPS), ...this.#shown.map(({ mips }) => mips), 0);
  }

  /** Mean load of the physical CPUs, 0 to 1. */
  get load(): number {
    return this.#cpus.reduce((sum, { share }) => sum + share, 0) / Math.max(this.#cpus.length, 1);
  }

  /** Whether something was refused in the last minute, by wall time (ms). */
  refusedLately(now: number): boolean {
    return now - this.#refusedAt < KEPT * 1000;
  }

  /** Present activity of each physical CPU. */
  get cpus(): readonly CpuUse[] {
    return this.#cpus;
  }
}

function cpuUse({ vms }: MachineSample, cpu: number): CpuUse {
  const here = ({ pcpu }: VcpuSample) => pcpu === cpu;
  const parts = vms.map(({ name, vcpus }): CpuPart => ({
    vm: name,
    share: Math.max(vcpus.filter(here).reduce((sum, { load }) => sum + load, 0), 0),
  })).filter(({ share }) => share > 0);
  const running = vms.flatMap(({ name, vcpus }) =>
    vcpus.filter((vcpu) => here(vcpu) && vcpu.state === "RUN").map(({ index }) => `${name}/${index}`)
  );
  return { parts, share: Math.min(parts.reduce((sum, { share }) => sum + share, 0), 1), runs: running[0] };
}
