// What the machine has done in the last minute, from the samples that come anyway: looking costs it
// nothing.

import { Histories } from "./history.ts";
import type { MachineSample, VcpuSample } from "../protocol/protocol.ts";

/** A VM's part of a physical CPU. */
export interface CpuPart {
  readonly vm: string;
  /** 0 to 1. */
  readonly share: number;
}

/** What one physical CPU does. */
export interface CpuUse {
  readonly parts: readonly CpuPart[];
  /** 0 to 1. */
  readonly share: number;
  /** The vCPU that runs on it, `debian/0`. */
  readonly runs: string | undefined;
}

/** The id of the machine's speed. */
export const MIPS = "mips";

/** It. */
export class Activity {
  readonly histories = new Histories();
  #cpus: readonly CpuUse[] = [];

  /** Takes a sample at a wall time (ms). */
  take(now: number, sample: MachineSample): void {
    this.#cpus = Array.from({ length: sample.physicalCpus }, (_, cpu) => cpuUse(sample, cpu));
    const amounts: [string, number][] = [[MIPS, sample.mips]];
    for (const { name, vcpus } of sample.vms) {
      amounts.push([`vm:${name}`, Math.min(vcpus.reduce((sum, { load }) => sum + load, 0), 1)]);
      for (const { index, load } of vcpus) amounts.push([`vcpu:${name}/${index}`, load]);
    }
    this.#cpus.forEach(({ share }, cpu) => amounts.push([`pcpu:${cpu}`, share]));
    this.histories.take(now, amounts);
  }

  /** What each physical CPU does now. */
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
