// `deno task bench boot`: a Debian kernel on el2 and on QEMU in turn, from the start of the process
// to the first line of user space; on el2 with an empty code cache, and with that of an earlier
// boot. Its core was generated before.

import { type Figure, printDocument } from "./documents.ts";
import { catalogEntry, DEBIAN_RELEASES } from "../src/app/catalog/catalog.ts";
import type { Contest } from "./ab.ts";
import { forgetCode, type Guest, type Machine, peakOf, type Run, type StampedLine, stopwatch } from "./machines.ts";
import { type Rounds, trustedRounds } from "./rounds.ts";
import { withSpread } from "./statistics.ts";
import { treeCaches } from "./tree-caches.ts";

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

/** A machine that boots: el2 with either code cache, or QEMU. */
type Booting = "empty" | "earlier" | "qemu";

/** Times of one guest with one number of CPUs. */
interface BootFigures extends Rounds<Record<Booting, number>> {
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
  if (json) printDocument({ schema: "el2.bench.boot/3", rounds, table: all.flatMap(tableOf), boots: all.map(jsonOf) });
}

/**
 * For `--ab`: seconds to the first line of user space, of each guest with each number of CPUs, and
 * the CPU time, in ms, that the threads of its vCPUs and those of V8 have taken by then.
 * @param cached with the code of an earlier boot
 */
export function bootContest(names: readonly string[], cpuCounts: readonly number[], cached: boolean): Contest {
  return async (work) => {
    const entries = await Promise.all(names.map((name) => catalogEntry(name)));
    const boots = entries.flatMap(({ folder, manifest: { name } }) =>
      cpuCounts.map((cpus) => ({ name: `${name}, ${cpus}`, guest: bootGuest(folder, cpus) }))
    );
    const treeCache = treeCaches(work, cached, async (cache) => {
      for (const { guest } of cached ? boots : boots.slice(0, 1)) await leaveCode({ ...guest, cache });
    });
    return async () => {
      const figures = new Map<string, number>();
      for (const { name, guest } of boots) {
        const run = await stopwatch("el2", { ...guest, cache: await treeCache(), stamps: READY }, TIMEOUT, READY);
        const { vcpus, compiler } = readyLine(run).cpu!;
        figures.set(name, readyOf(run)).set(`${name}: CPU of vCPUs`, vcpus).set(`${name}: CPU of V8`, compiler);
      }
      return figures;
    };
  };
}

/** The guest of the catalog in this folder. */
export function bootGuest(folder: string, cpus: number): Guest {
  return { kernel: `${folder}/Image`, initrd: `${folder}/initrd`, append: "console=ttyAMA0", memory: MEMORY, cpus };
}

function readyLine(run: Run): StampedLine {
  return run.lines.find(({ text }) => READY.test(text))!;
}

function readyOf(run: Run): number {
  return readyLine(run).at / 1000;
}

/** Seconds to the first line of user space. */
export async function secondsToReady(machine: Machine, guest: Guest): Promise<number> {
  return readyOf(await stopwatch(machine, guest, TIMEOUT, READY));
}

/** Boots and ends in order, so that the cache has the code. */
export async function leaveCode(guest: Guest): Promise<void> {
  await stopwatch("el2", { ...guest, endBy: "SIGTERM" }, TIMEOUT, READY);
}

async function measureBoot(name: string, cpus: number, rounds: number): Promise<BootFigures> {
  const { folder, manifest } = await catalogEntry(name);
  const guest = bootGuest(folder, cpus), caches = await Deno.makeTempDir({ prefix: "el2-bench-" });
  const empty = `${caches}/empty`, earlier = `${caches}/earlier`;
  let peakMemory = 0;
  const seconds = async (cache: string) => {
    const run = await stopwatch("el2", { ...guest, cache }, TIMEOUT, READY);
    peakMemory = Math.max(peakMemory, peakOf(run));
    return readyOf(run);
  };
  try {
    for (const cache of [empty, earlier]) await Deno.mkdir(cache, { mode: 0o700 });
    for (const cache of [empty, earlier]) await leaveCode({ ...guest, cache });
    const trusted = await trustedRounds(rounds, async () => {
      await forgetCode(empty);
      return {
        empty: await seconds(empty),
        earlier: await seconds(earlier),
        qemu: await secondsToReady("qemu", guest),
      };
    });
    return { ...trusted, about: manifest.about, name: manifest.name, cpus, peakMemory };
  } finally {
    await Deno.remove(caches, { recursive: true });
  }
}

/** QEMU time / el2 time of each round. */
function ratiosOf({ results }: BootFigures, cache: Exclude<Booting, "qemu">): number[] {
  return results.map((times) => times.qemu / times[cache]);
}

function print(figures: BootFigures): void {
  const { about, cpus, results, peakMemory } = figures;
  const [empty, earlier, qemu] = (["empty", "earlier", "qemu"] as const).map((which) => withSpread(results.map((times) => times[which])));
  console.log(`${about}, ${cpus} CPU${cpus === 1 ? "" : "s"}: el2 ${empty}, with an earlier boot's code ${earlier}, QEMU ${qemu}`);
  const ratios = `QEMU time / el2 time ${withSpread(ratiosOf(figures, "empty"))}, ${withSpread(ratiosOf(figures, "earlier"))}`;
  console.log(`  ${ratios}; el2's peak ${peakMemory.toFixed(0)} MiB`);
}

function tableOf(boot: BootFigures): Figure[] {
  const what = `${boot.name}, ${boot.cpus} CPU${boot.cpus === 1 ? "" : "s"}`;
  return [
    { what: `${what}: seconds to user space`, unit: "s", values: boot.results.map(({ empty }) => empty) },
    { what: `${what}: beside QEMU`, unit: "times", values: ratiosOf(boot, "empty"), least: 0.95 },
    { what: `${what}: the same, with an earlier boot's code`, unit: "times", values: ratiosOf(boot, "earlier"), least: 1.1 },
  ];
}

function jsonOf(figures: BootFigures): unknown {
  const { name, cpus, results, repeated, doubtful, peakMemory } = figures;
  return {
    guest: name,
    cpus,
    repeated,
    doubtful,
    seconds: {
      el2: results.map(({ empty }) => empty),
      el2_earlier_code: results.map(({ earlier }) => earlier),
      qemu: results.map(({ qemu }) => qemu),
    },
    ratios: ratiosOf(figures, "empty"),
    ratios_earlier_code: ratiosOf(figures, "earlier"),
    peak_memory_mib: Math.round(peakMemory),
  };
}
