// `deno task bench mark`: the bare-metal program `mark` (bench/suites/mark) on el2 and on QEMU in
// turn, whole processes and each kernel.

import { type Figure, printDocument } from "./documents.ts";
import type { Contest } from "./ab.ts";
import { guestMips, printCore } from "./core-stats.ts";
import { timesOf } from "./kernels.ts";
import { type CoreStats, type Machine, MACHINES, stopwatch } from "./machines.ts";
import { trustedRounds } from "./rounds.ts";
import { median, withSpread } from "./statistics.ts";
import { buildMark } from "./suites/bare-metal.ts";

/** How often the work is done: start-up is a small part of it then. */
const SCALE = 8;
/** Seconds. */
const TIMEOUT = 900;
/** MiB. */
const MEMORY = 128;

interface Measurement {
  /** The whole process. */
  milliseconds: number;
  /** Milliseconds and checksum of each kernel, in order; the last is their total. */
  kernels: Map<string, { milliseconds: number; checksum: string }>;
  core: CoreStats | undefined;
}

/** Kernels are timed by when their lines come: the guest's clock counts instructions on el2. */
async function measure(machine: Machine, kernel: string): Promise<Measurement> {
  const { lines, milliseconds, core } = await stopwatch(machine, { kernel, memory: MEMORY, stats: true }, TIMEOUT);
  const kernels = new Map<string, { milliseconds: number; checksum: string }>();
  let before = 0;
  for (const { text, at } of lines) {
    const [, name, checksum] = /^MARK (\w+) .*sum=(\w+)$/.exec(text) ?? [];
    if (!name) continue;
    kernels.set(name, { milliseconds: at - before, checksum });
    before = at;
  }
  if (!kernels.has("total")) throw new Error(`${machine} did not finish: ${lines.map(({ text }) => text).join("\n")}`);
  return { milliseconds, kernels, core };
}

/** For `--ab`: milliseconds of each kernel and of the whole process. */
export const markContest: Contest = async (folder) => {
  const kernel = await buildMark(folder, SCALE);
  return async () => {
    const { kernels, milliseconds } = await measure("el2", kernel);
    return timesOf(kernels).set("process", milliseconds);
  };
};

/** Runs the bench and prints it, as text or as one JSON object. */
export async function benchMark(rounds: number, json: boolean): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "el2-bench-" });
  try {
    const kernel = await buildMark(folder, SCALE);
    const { results, repeated, doubtful } = await trustedRounds(rounds, async () => {
      const el2 = await measure("el2", kernel), qemu = await measure("qemu", kernel);
      for (const [name, { checksum }] of qemu.kernels) {
        const ours = el2.kernels.get(name)?.checksum;
        if (ours !== checksum) throw new Error(`${name}: el2 computes ${ours}, QEMU ${checksum}`);
      }
      return { el2, qemu };
    });
    const times = (machine: Machine, name: string) => results.map((round) => round[machine].kernels.get(name)!.milliseconds);
    const names = [...results[0].qemu.kernels.keys()].filter((name) => name !== "total");
    const process = (machine: Machine) => results.map((round) => round[machine].milliseconds);
    const ratiosOf = (el2: number[], qemu: number[]) => qemu.map((time, round) => time / el2[round]);
    const ratios = ratiosOf(process("el2"), process("qemu"));
    const { core, milliseconds } = results[rounds - 1].el2;
    if (json) {
      const kernels = names.map((name) => ({ name, el2: times("el2", name), qemu: times("qemu", name) }));
      const table: Figure[] = [{ what: "whole process", unit: "times", values: ratios, least: 1.9 }];
      const measured = {
        table,
        el2: process("el2"),
        qemu: process("qemu"),
        ratios,
        kernels,
        guest_mips: guestMips(core, milliseconds),
        core,
      };
      printDocument({ schema: "el2.bench.mark/1", scale: SCALE, rounds, repeated, doubtful, machines: MACHINES, ...measured });
      return;
    }
    console.log(`kernel    el2 ms  QEMU ms  QEMU time / el2 time: median (least-greatest) of ${rounds}, scale ${SCALE}, checksums equal`);
    for (const name of names) {
      const [el2, qemu] = [times("el2", name), times("qemu", name)];
      const columns = [median(el2).toFixed(0).padStart(7), median(qemu).toFixed(0).padStart(8)];
      console.log(`${name.padEnd(8)} ${columns.join(" ")}  ${withSpread(ratiosOf(el2, qemu))}`);
    }
    console.log(`whole process: el2 ${withSpread(process("el2"), 0)} ms, QEMU ${withSpread(process("qemu"), 0)} ms`);
    console.log(`QEMU time / el2 time  ${withSpread(ratios)}; ${repeated} rounds repeated, ${doubtful} doubtful`);
    printCore(core, milliseconds);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
