// `deno task bench core|boot --cpu NAME`: el2 with a CPU that has features beyond `v8`, beside the
// newest QEMU, whose CPU with all features signs pointers in either of two ways. Kernels are
// compiled for Armv8.6; boots are also compared with those of `v8`, as features have their price.

import { type Figure, printDocument } from "./documents.ts";
import { bootGuest, leaveCode, secondsToReady } from "./boot.ts";
import { buildGuest, measure } from "./kernels.ts";
import { forgetCode, type Guest, QEMU_CPUS, type QemuCpu } from "./machines.ts";
import { type Rounds, trustedRounds } from "./rounds.ts";
import { geometricMean, median, withSpread } from "./statistics.ts";
import { catalogEntry } from "../src/app/catalog/catalog.ts";
import { DEFAULT_CPU } from "../src/cpu/isa/cpus/cpus.ts";

const ARCHITECTURE = ["-march=armv8.6-a"];

/** Goals beside QEMU's CPUs, at least; and of a boot's time beside that of `v8`, at most. */
const CORE_GOALS: Readonly<Partial<Record<QemuCpu, number>>> = { "max,pauth-impdef=on": 1.5 };
const BOOT_GOALS: Readonly<Record<QemuCpu, number>> = { "max,pauth-impdef=on": 1, "max,pauth-qarma5=on": 2.5 };
const MOST_OF_BASE = 1.1;

/**
 * A machine that is measured: el2 with the CPU, without code or with that of an earlier boot, or
 * with `v8`; or QEMU with one of its CPUs.
 */
type Contender = "el2" | "earlier" | "base" | QemuCpu;

const byCpu = async <T>(one: (cpu: QemuCpu) => Promise<T>): Promise<Record<QemuCpu, T>> => ({
  "max,pauth-impdef=on": await one("max,pauth-impdef=on"),
  "max,pauth-qarma5=on": await one("max,pauth-qarma5=on"),
});

/** The 18 kernels, compiled for Armv8.6, beside QEMU. */
export async function benchCoreOf(cpu: string, rounds: number, json: boolean): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "el2-bench-" });
  try {
    const kernel = await buildGuest("core", folder, ARCHITECTURE);
    const { results, ...trust } = await trustedRounds(rounds, async () => {
      const el2 = (await measure("el2", kernel, false, { cpu })).kernels;
      const qemu = await byCpu(async (qemuCpu) => (await measure("qemu", kernel, false, { qemuCpu })).kernels);
      for (const [name, { checksum }] of qemu[QEMU_CPUS[0]]) {
        const ours = el2.get(name)?.checksum;
        if (ours !== checksum) throw new Error(`${name}: el2 computes ${ours}, QEMU ${checksum}`);
      }
      return { el2, ...qemu };
    });
    const names = [...results[0][QEMU_CPUS[0]].keys()],
      times = (which: "el2" | QemuCpu, name: string) => results.map((round) => round[which].get(name)!.milliseconds);
    const ratios = (qemu: QemuCpu, name: string) => times(qemu, name).map((time, round) => time / times("el2", name)[round]);
    const table: Figure[] = QEMU_CPUS.map((qemu) => ({
      what: `${names.length} kernels for Armv8.6 on ${cpu}, geomean beside QEMU's ${qemu}`,
      unit: "times",
      values: results.map((_, round) => geometricMean(names.map((name) => ratios(qemu, name)[round]))),
      least: CORE_GOALS[qemu],
    }));
    const kernels = names.map((name) => ({
      name,
      ...Object.fromEntries((["el2", ...QEMU_CPUS] as const).map((which) => [which, times(which, name)])),
    }));
    if (json) return printDocument({ schema: "el2.bench.core-cpu/1", cpu, rounds, ...trust, kernels, table });
    console.log(`kernel    el2 ms of ${cpu}; QEMU time / el2 time beside ${QEMU_CPUS.join(" and beside ")}; checksums equal`);
    for (const name of names) {
      const beside = QEMU_CPUS.map((qemu) => withSpread(ratios(qemu, name)));
      console.log(`${name.padEnd(8)} ${median(times("el2", name)).toFixed(0).padStart(7)}  ${beside.join("  ")}`);
    }
    printFigures(table, trust);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/**
 * Boots of guests of the catalog: with an empty code cache beside `v8`, and with either cache
 * beside QEMU.
 */
export async function benchBootOf(
  cpu: string,
  names: readonly string[],
  counts: readonly number[],
  rounds: number,
  json: boolean,
): Promise<void> {
  const figures: Figure[] = [];
  for (const name of names) {
    const { folder } = await catalogEntry(name);
    for (const cpus of counts) {
      const { results, ...trust } = await measureBoots(cpu, bootGuest(folder, cpus), rounds);
      const what = `${name}, ${cpus} CPU${cpus === 1 ? "" : "s"}, ${cpu}`,
        beside = (other: Contender, own: Contender = "el2") => results.map((round) => round[other] / round[own]);
      const table: Figure[] = [
        { what: `${what}: seconds to user space`, unit: "s", values: results.map(({ el2 }) => el2) },
        {
          what: `${what}: time beside that of ${DEFAULT_CPU}`,
          unit: "times",
          values: results.map(({ el2, base }) => el2 / base),
          most: MOST_OF_BASE,
        },
        ...QEMU_CPUS.flatMap((qemu): Figure[] => {
          const figure = { what: `${what}: speed beside QEMU's ${qemu}`, unit: "times", least: BOOT_GOALS[qemu] } as const;
          return [
            { ...figure, values: beside(qemu) },
            { ...figure, what: `${figure.what}, with an earlier boot's code`, values: beside(qemu, "earlier") },
          ];
        }),
      ];
      figures.push(...table);
      if (!json) printFigures(table, trust);
    }
  }
  if (json) printDocument({ schema: "el2.bench.boot-cpu/1", cpu, rounds, table: figures });
}

/** Seconds to user space. Each contender of el2 has a cache for its core. */
async function measureBoots(cpu: string, guest: Guest, rounds: number): Promise<Rounds<Record<Contender, number>>> {
  const caches = await Deno.makeTempDir({ prefix: "el2-bench-" });
  const guests = {
    el2: { ...guest, cpu, cache: `${caches}/el2` },
    earlier: { ...guest, cpu, cache: `${caches}/earlier` },
    base: { ...guest, cpu: DEFAULT_CPU, cache: `${caches}/base` },
  };
  const secondsWithoutCode = async (own: Guest & { readonly cache: string }) => {
    await forgetCode(own.cache);
    return await secondsToReady("el2", own);
  };
  try {
    for (const own of Object.values(guests)) {
      await Deno.mkdir(own.cache, { mode: 0o700 });
      await leaveCode(own);
    }
    return await trustedRounds(rounds, async () => ({
      el2: await secondsWithoutCode(guests.el2),
      earlier: await secondsToReady("el2", guests.earlier),
      base: await secondsWithoutCode(guests.base),
      ...await byCpu((qemuCpu) => secondsToReady("qemu", { ...guest, qemuCpu })),
    }));
  } finally {
    await Deno.remove(caches, { recursive: true });
  }
}

/** A line a figure, with its goal. */
function printFigures(table: readonly Figure[], { repeated, doubtful }: Pick<Rounds<unknown>, "repeated" | "doubtful">): void {
  for (const { what, values, least, most } of table) {
    const goal = least !== undefined ? `, goal at least ${least}` : most !== undefined ? `, goal at most ${most}` : "";
    console.log(`${what}  ${withSpread(values)}${goal}`);
  }
  console.log(`${repeated} rounds repeated, ${doubtful} doubtful`);
}
