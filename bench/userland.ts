// `deno task bench userland`: Debian's own programs in a Debian guest (scripts/suites.ts) on el2
// and on QEMU in turn. The digests of what they print must be QEMU's of the same run.

import { catalogEntry } from "../src/catalog/catalog.ts";
import { type Suite, suiteInitrd } from "../scripts/suites.ts";
import type { Contest } from "./ab.ts";
import { guestMips, printCore } from "./core-stats.ts";
import { type CoreStats, type Guest, type Machine, MACHINES, stopwatch } from "./machines.ts";
import { trustedRounds } from "./rounds.ts";
import { geometricMean, median, withSpread } from "./statistics.ts";

/** Sets of programs. */
export const USERLAND_SETS = ["base", "cc"] as const satisfies readonly Suite[];
/** One of `USERLAND_SETS`. */
export type UserlandSet = typeof USERLAND_SETS[number];

/** Seconds for a set. */
const TIMEOUT = 1800;
/** MiB. */
const MEMORY = 1024;

/** A program's run. */
export interface ProgramRun {
  milliseconds: number;
  /** Exit code and digest of standard output, as one text. */
  outcome: string;
}

/** A set's run. */
export interface SetRun {
  /** In order. */
  programs: Map<string, ProgramRun>;
  /** The whole process. */
  milliseconds: number;
  core: CoreStats | undefined;
}

/** The guest of a suite whose script `script` runs: all of it, or these programs. */
export async function suiteGuest(suite: Suite, script: string, only: readonly string[] = []): Promise<Guest> {
  const { folder } = await catalogEntry("debian-bookworm");
  const words = ["console=ttyAMA0", "quiet", `el2=run:${script}`, ...only.length ? [`el2=only:${only}`] : []];
  return { kernel: `${folder}/Image`, initrd: await suiteInitrd(suite), append: words.join(" "), memory: MEMORY };
}

/** Runs a set on a machine. */
export async function runSet(machine: Machine, guest: Guest): Promise<SetRun> {
  const { lines, milliseconds, core } = await stopwatch(machine, { ...guest, stats: true }, TIMEOUT);
  const programs = new Map<string, ProgramRun>();
  let begun = 0;
  for (const { text, at } of lines) {
    const [, word, name, outcome] = /^BENCH-(BEGIN|END) (\S+) ?(rc=\d+ md5=\w+)?/.exec(text) ?? [];
    if (word === "BEGIN") begun = at;
    else if (word === "END") programs.set(name, { milliseconds: at - begun, outcome });
  }
  if (!lines.some(({ text }) => text.startsWith("EL2-DONE rc=0"))) {
    throw new Error(`${machine} did not finish: ${lines.slice(-10).map(({ text }) => text).join("\n")}`);
  }
  return { programs, milliseconds, core };
}

/** For `--ab`: milliseconds of each program. */
export function userlandContest(sets: readonly UserlandSet[], only: readonly string[] = []): Contest {
  return async () => {
    const guests = await Promise.all(sets.map((set) => suiteGuest(set, set, only)));
    return async () => {
      const figures = new Map<string, number>();
      for (const guest of guests) {
        for (const [name, { milliseconds }] of (await runSet("el2", guest)).programs) figures.set(name, milliseconds);
      }
      return figures;
    };
  };
}

/**
 * Runs the bench, of these programs where there are names, and prints it, as text or as one JSON
 * object.
 */
export async function benchUserland(
  sets: readonly UserlandSet[],
  rounds: number,
  json: boolean,
  only: readonly string[] = [],
): Promise<void> {
  const guests = await Promise.all(sets.map((set) => suiteGuest(set, set, only)));
  /** What el2's core did in each set of the last round. */
  let cores: Pick<SetRun, "core" | "milliseconds">[] = [];
  const { results, repeated, doubtful } = await trustedRounds(rounds, async () => {
    const round = { el2: new Map<string, ProgramRun>(), qemu: new Map<string, ProgramRun>() };
    cores = [];
    for (const guest of guests) {
      for (const machine of MACHINES) {
        const { programs, ...whole } = await runSet(machine, guest);
        for (const [name, run] of programs) round[machine].set(name, run);
        if (machine === "el2") cores.push(whole);
      }
    }
    for (const [name, { outcome }] of round.qemu) {
      const ours = round.el2.get(name)?.outcome;
      if (ours !== outcome) throw new Error(`${name}: el2 gives ${ours}, QEMU ${outcome}`);
    }
    return round;
  });
  const names = [...results[0].qemu.keys()], unknown = only.filter((name) => !names.includes(name));
  if (unknown.length) throw new Error(`no program of the set ${sets.join(" or ")} is called ${unknown.join(", ")}`);
  const times = (machine: Machine, name: string) => results.map((round) => round[machine].get(name)!.milliseconds);
  const ratios = names.map((name) => results.map((round) => round.qemu.get(name)!.milliseconds / round.el2.get(name)!.milliseconds));
  // A geomean a round, so that it has a spread of its own.
  const overall = results.map((_, round) => geometricMean(ratios.map((each) => each[round])));
  const worst = ratios.map(median).reduce((least, ratio, index, all) => ratio < all[least] ? index : least, 0);
  if (json) {
    const programs = names.map((name, index) => ({ name, el2: times("el2", name), qemu: times("qemu", name), ratios: ratios[index] }));
    const core = cores.map(({ core, milliseconds }) => ({ guest_mips: guestMips(core, milliseconds), ...core }));
    const summary = { geomean: overall, worst: names[worst], core };
    console.log(JSON.stringify({ schema: "el2.bench.userland/1", sets, rounds, repeated, doubtful, programs, ...summary }));
    return;
  }
  console.log(`program          el2 ms  QEMU ms  QEMU time / el2 time: median (least-greatest) of ${rounds}, digests equal`);
  names.forEach((name, index) => {
    const columns = MACHINES.map((machine) => median(times(machine, name)).toFixed(0).padStart(8));
    console.log(`${name.padEnd(15)} ${columns.join(" ")}  ${withSpread(ratios[index])}`);
  });
  console.log(`geomean of ${names.length}   ${withSpread(overall)}; ${repeated} rounds repeated, ${doubtful} doubtful`);
  console.log(`worst           ${withSpread(ratios[worst])} ${names[worst]}`);
  for (const { core, milliseconds } of cores) printCore(core, milliseconds);
}
