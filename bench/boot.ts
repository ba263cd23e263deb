// `deno task bench boot`: a Debian kernel on el2 and on QEMU in turn, from the start of the process
// to the first line of user space.

import { type Figure, printDocument } from "./documents.ts";
import { catalogEntry, DEBIAN_RELEASES } from "../src/catalog/catalog.ts";
import type { Contest } from "./ab.ts";
import { type Guest, type Machine, type Run, stopwatch } from "./machines.ts";
import { type Rounds, trustedRounds } from "./rounds.ts";
import { withSpread } from "./statistics.ts";

/** First line of the initramfs's init. */
export const READY = /^EL2-READY/;
/** Seconds. */
const TIMEOUT = 300;
/** MiB. */
const MEMORY = 512;

/** Guests of the catalog that are booted by default. */
export const BOOT_GUESTS: readonly string[] = DEBIAN_RELEASES.map((release) => `debian-${release}`);
/** Numbers of CPUs where none are named. */
export const BOOT_CPUS: readonly number[] = [1, 4];

/** Times of one guest with one number of CPUs. */
interface BootFigures extends Rounds<Record<Machine, number>> {
  readonly about: string;
  readonly name: string;
  readonly cpus: number;
  /** MiB: the most that a process of el2 had resident. */
  readonly peakMemory: number;
}

/**
 * Runs the bench for these guests of the catalog, each with each number of CPUs, and prints it, as
 * text or as one JSON object.
 */
export async function benchBoot(names: readonly string[], cpuCounts: readonly number[], rounds: number, json: boolean): Promise<void> {
  const all: BootFigures[] = [];
  if (!json) console.log(`${MEMORY} MiB; seconds from process start to EL2-READY, and their ratio: median (least-greatest) of ${rounds}`);
  for (const name of names) {
    for (const cpus of cpuCounts) {
      const figures = await measureBoot(name, cpus, rounds);
      all.push(figures);
      if (!json) print(figures);
    }
  }
  if (json) printDocument({ schema: "el2.bench.boot/2", rounds, table: all.flatMap(tableOf), boots: all.map(jsonOf) });
}

/** For `--ab`: seconds to the first line of user space, of each guest with each number of CPUs. */
export function bootContest(names: readonly string[], cpuCounts: readonly number[]): Contest {
  return async () => {
    const entries = await Promise.all(names.map((name) => catalogEntry(name)));
    return async () => {
      const figures = new Map<string, number>();
      for (const { folder, manifest } of entries) {
        for (const cpus of cpuCounts) figures.set(`${manifest.name}, ${cpus}`, await secondsToReady("el2", bootGuest(folder, cpus)));
      }
      return figures;
    };
  };
}

/** The guest of the catalog in this folder. */
export function bootGuest(folder: string, cpus: number): Guest {
  return { kernel: `${folder}/Image`, initrd: `${folder}/initrd`, append: "console=ttyAMA0", memory: MEMORY, cpus };
}

function readyOf(run: Run): number {
  return run.lines.find(({ text }) => READY.test(text))!.at / 1000;
}

async function secondsToReady(machine: Machine, guest: Guest): Promise<number> {
  return readyOf(await stopwatch(machine, guest, TIMEOUT, READY));
}

async function measureBoot(name: string, cpus: number, rounds: number): Promise<BootFigures> {
  const { folder, manifest } = await catalogEntry(name);
  const guest = bootGuest(folder, cpus);
  let peakMemory = 0;
  const seconds = async (machine: Machine) => {
    const run = await stopwatch(machine, guest, TIMEOUT, READY);
    if (machine === "el2") peakMemory = Math.max(peakMemory, run.peakMemory ?? 0);
    return readyOf(run);
  };
  const trusted = await trustedRounds(rounds, async () => ({ el2: await seconds("el2"), qemu: await seconds("qemu") }));
  return { ...trusted, about: manifest.about, name: manifest.name, cpus, peakMemory };
}

/** QEMU time / el2 time of each round. */
function ratiosOf({ results }: BootFigures): number[] {
  return results.map(({ qemu, el2 }) => qemu / el2);
}

function print(figures: BootFigures): void {
  const { about, cpus, results, peakMemory } = figures;
  const [el2, qemu] = (["el2", "qemu"] as const).map((machine) => withSpread(results.map((times) => times[machine])));
  console.log(`${about}, ${cpus} CPU${cpus === 1 ? "" : "s"}: el2 ${el2}, QEMU ${qemu}`);
  console.log(`  QEMU time / el2 time ${withSpread(ratiosOf(figures))}; el2's peak ${peakMemory.toFixed(0)} MiB`);
}

function tableOf(boot: BootFigures): Figure[] {
  const what = `${boot.name}, ${boot.cpus} CPU${boot.cpus === 1 ? "" : "s"}`;
  return [
    { what: `${what}: seconds to user space`, unit: "s", values: boot.results.map(({ el2 }) => el2) },
    { what: `${what}: beside QEMU`, unit: "times", values: ratiosOf(boot), least: 0.95 },
  ];
}

function jsonOf(figures: BootFigures): unknown {
  const { name, cpus, results, repeated, doubtful, peakMemory } = figures;
  return {
    guest: name,
    cpus,
    repeated,
    doubtful,
    seconds: { el2: results.map(({ el2 }) => el2), qemu: results.map(({ qemu }) => qemu) },
    ratios: ratiosOf(figures),
    peak_memory_mib: Math.round(peakMemory),
  };
}
