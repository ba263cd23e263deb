// `deno task bench userland`: Debian's own programs in a Debian guest (scripts/suites.ts) on el2
// and on QEMU in turn. The digests of what they print must be QEMU's of the same run.

import { type Figure, printDocument } from "./documents.ts";
import { catalogEntry } from "../src/app/catalog/catalog.ts";
import { type Suite, suiteInitrd } from "../scripts/suites.ts";
import type { Contest } from "./ab.ts";
import { guestMips, printCore } from "./core-stats.ts";
import { type CoreStats, type CpuTime, forgetCode, type Guest, type Machine, MACHINES, stopwatch } from "./machines.ts";
import { trustedRounds } from "./rounds.ts";
import { geometricMean, median, withSpread } from "./statistics.ts";
import { treeCaches } from "./tree-caches.ts";

/** Sets of programs. */
export const USERLAND_SETS = ["base", "cc", "jit", "wide"] as const satisfies readonly Suite[];
/** One of `USERLAND_SETS`. */
export type UserlandSet = typeof USERLAND_SETS[number];

/** Sets of a run without `--set`: el2 has been tuned to them. */
export const TUNED_SETS: readonly UserlandSet[] = ["base", "cc"];

/**
 * Every third program of the set `wide`: it is only measured, never profiled or looked into. Where
 * the others gain more than these, el2 has been tuned to programs.
 */
const UNSEEN: ReadonlySet<string> = new Set(["tcl", "erlang", "mawk", "jq", "shellcheck", "brotli", "jpeg", "gp", "groff"]);

/** Seconds for a set. */
const TIMEOUT = 3600;
/** MiB of RAM; of that the initramfs of a set needs twice its size. */
const MEMORY: Partial<Record<Suite, number>> = { wide: 1536 };
const MEMORY_OF_OTHERS = 1024;

/** A program's run. */
export interface ProgramRun {
  milliseconds: number;
  cpu: CpuTime;
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
  return {
    kernel: `${folder}/Image`,
    initrd: await suiteInitrd(suite),
    append: words.join(" "),
    memory: MEMORY[suite] ?? MEMORY_OF_OTHERS,
  };
}

const NO_TIME: CpuTime = { vcpus: 0, compiler: 0, all: 0 };

/** @throws Error when a thread ended in between, so that its time is lost. */
function since(before: CpuTime, after: CpuTime): CpuTime {
  const difference = { vcpus: after.vcpus - before.vcpus, compiler: after.compiler - before.compiler, all: after.all - before.all };
  for (const [threads, milliseconds] of Object.entries(difference)) {
    if (milliseconds < 0) throw new Error(`CPU time (${threads}) went back by ${-milliseconds} ms: a thread has ended`);
  }
  return difference;
}

/** Runs a set on a machine; of programs that ran several times, the last run counts. */
export async function runSet(machine: Machine, guest: Guest): Promise<SetRun> {
  const { lines, milliseconds, core } = await stopwatch(machine, { ...guest, stats: true, stamps: /^BENCH-/ }, TIMEOUT);
  const programs = new Map<string, ProgramRun>();
  let begun = 0, before = NO_TIME;
  for (const { text, at, cpu = NO_TIME } of lines) {
    const [, word, name, outcome] = /^BENCH-(BEGIN|END) (\S+) ?(rc=\d+ md5=\w+)?/.exec(text) ?? [];
    if (word === "BEGIN") [begun, before] = [at, cpu];
    else if (word === "END") programs.set(name, { milliseconds: at - begun, cpu: since(before, cpu), outcome });
  }
  if (!lines.some(({ text }) => text.startsWith("EL2-DONE rc=0"))) {
    throw new Error(`${machine} did not finish: ${lines.slice(-10).map(({ text }) => text).join("\n")}`);
  }
  return { programs, milliseconds, core };
}

/** How a set is run. */
export interface UserlandOptions {
  /** These programs alone. */
  readonly only?: readonly string[];
  /** Each program three times in a boot; the last run counts. */
  readonly warm?: boolean;
  /** Another process keeps a CPU busy. */
  readonly busy?: boolean;
  /** With the compiled code of an earlier run of the set; otherwise with none. */
  readonly cached?: boolean;
}

/** Goals of a run: of all programs together, and of the worst. */
interface Goals {
  readonly mean?: number;
  readonly worst?: number;
}

/** By sets, and by options of the run. */
const GOALS: Readonly<Record<string, Readonly<Record<string, Goals>>>> = {
  [TUNED_SETS.join()]: {
    "": { mean: 1.2, worst: 0.7 },
    cached: { mean: 1.3, worst: 0.85 },
    "busy,cached": { mean: 1.15 },
    warm: { mean: 1.4, worst: 0.95 },
  },
  wide: { "": { mean: 1.05, worst: 0.7 }, cached: { mean: 1.15, worst: 0.8 } },
  jit: { "": { mean: 0.75, worst: 0.75 } },
};

/** The goals of a run; none where some programs of a set are left out. */
function goalsOf(sets: readonly UserlandSet[], { warm, busy, cached, only }: UserlandOptions): Goals {
  const options = [warm && "warm", busy && "busy", cached && "cached"].filter(Boolean).join();
  return only?.length ? {} : GOALS[sets.join()]?.[options] ?? {};
}

/** Runs of a program with `warm`. */
const WARM_RUNS = 3;

function guestsOf(sets: readonly UserlandSet[], { only, warm }: UserlandOptions): Promise<Guest[]> {
  return Promise.all(sets.map(async (set) => {
    const guest = await suiteGuest(set, set, only);
    return warm ? { ...guest, append: `${guest.append} el2=times:${WARM_RUNS}` } : guest;
  }));
}

/** Does `work` while another process keeps a CPU busy, if that is wanted. */
async function beside<T>(busy: boolean | undefined, work: () => Promise<T>): Promise<T> {
  if (!busy) return await work();
  const other = new Deno.Command(Deno.execPath(), { args: ["eval", "for (;;);"], stdin: "null" }).spawn();
  try {
    return await work();
  } finally {
    other.kill("SIGKILL");
    await other.status;
  }
}

/** A cache folder of el2, and runs of a set with it. */
interface OwnCache {
  readonly folder: string;
  run(): Promise<SetRun>;
}

/** A cache folder for a set: with the code of an earlier run, or always without. */
async function ownCache(guest: Guest, cached: boolean): Promise<OwnCache> {
  const folder = await Deno.makeTempDir({ prefix: "el2-bench-" });
  const run = () => runSet("el2", { ...guest, cache: folder });
  if (cached) await run();
  return {
    folder,
    async run() {
      if (!cached) await forgetCode(folder);
      return await run();
    },
  };
}

/** For `--ab`: milliseconds of each program, and of CPU time. */
export function userlandContest(sets: readonly UserlandSet[], options: UserlandOptions = {}): Contest {
  return async (folder) => {
    const guests = await guestsOf(sets, options);
    const { cached = false } = options;
    const treeCache = treeCaches(folder, cached, async (cache) => {
      if (!cached) await stopwatch("el2", { ...guests[0], cache }, TIMEOUT, /^BENCH-BEGIN/);
      else for (const guest of guests) await runSet("el2", { ...guest, cache });
    });
    return async () => {
      const figures = new Map<string, number>(), parts = new Map<string, number[]>();
      for (const guest of guests) {
        const cache = await treeCache();
        for (
          const [name, { milliseconds, cpu }] of (await beside(options.busy ?? false, () => runSet("el2", { ...guest, cache }))).programs
        ) {
          figures.set(name, milliseconds);
          figures.set(`${name} CPU of vCPUs`, cpu.vcpus);
          figures.set(`${name} CPU of V8`, cpu.compiler);
          if (!sets.includes("wide")) continue;
          const part = UNSEEN.has(name) ? "never profiled" : "may be profiled";
          parts.set(part, [...parts.get(part) ?? [], milliseconds]);
        }
      }
      for (const [part, times] of parts) figures.set(`geomean: ${part}`, geometricMean(times));
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
  options: UserlandOptions = {},
): Promise<void> {
  const { only = [], warm = false, busy = false, cached = false } = options;
  const guests = await guestsOf(sets, options);
  const caches: OwnCache[] = [];
  for (const guest of guests) caches.push(await ownCache(guest, cached));
  /** Counters of el2's core in each set of the last round. */
  let cores: Pick<SetRun, "core" | "milliseconds">[] = [];
  const { results, repeated, doubtful } = await trustedRounds(rounds, async () => {
    const round = { el2: new Map<string, ProgramRun>(), qemu: new Map<string, ProgramRun>() };
    cores = [];
    for (const [index, guest] of guests.entries()) {
      for (const machine of MACHINES) {
        const { programs, ...whole } = await beside(busy, () => machine === "el2" ? caches[index].run() : runSet(machine, guest));
        for (const [name, run] of programs) round[machine].set(name, run);
        if (machine === "el2") cores.push(whole);
      }
    }
    for (const [name, { outcome }] of round.qemu) {
      const ours = round.el2.get(name)?.outcome;
      if (ours !== outcome) throw new Error(`${name}: el2 gives ${ours}, QEMU ${outcome}`);
    }
    return round;
  }).finally(() => Promise.all(caches.map(({ folder }) => Deno.remove(folder, { recursive: true }))));
  const names = [...results[0].qemu.keys()], unknown = only.filter((name) => !names.includes(name));
  if (unknown.length) throw new Error(`no program of the set ${sets.join(" or ")} is called ${unknown.join(", ")}`);
  const times = (machine: Machine, name: string) => results.map((round) => round[machine].get(name)!.milliseconds);
  const ratios = names.map((name) => results.map((round) => round.qemu.get(name)!.milliseconds / round.el2.get(name)!.milliseconds));
  // One geomean per round, for its own spread.
  const mean = (wanted: (name: string) => boolean) =>
    results.map((_, round) => geometricMean(ratios.filter((_, index) => wanted(names[index])).map((each) => each[round])));
  const overall = mean(() => true), unseen = names.filter((name) => UNSEEN.has(name));
  const parts = { seen: mean((name) => !UNSEEN.has(name)), unseen: mean((name) => UNSEEN.has(name)) };
  const worst = ratios.map(median).reduce((least, ratio, index, all) => ratio < all[least] ? index : least, 0);
  if (json) {
    const programs = names.map((name, index) => ({
      name,
      el2: times("el2", name),
      qemu: times("qemu", name),
      ratios: ratios[index],
      ...unseen.length && { unseen: UNSEEN.has(name) },
      el2_cpu: results.map((round) => round.el2.get(name)!.cpu),
    }));
    const core = cores.map(({ core, milliseconds }) => ({ guest_mips: guestMips(core, milliseconds), ...core }));
    const goals = goalsOf(sets, options);
    const table: Figure[] = [
      { what: `${names.length} programs, geomean`, unit: "times", values: overall, least: goals.mean },
      { what: `worst program (${names[worst]})`, unit: "times", values: ratios[worst], least: goals.worst },
    ];
    const summary = { table, geomean: overall, ...unseen.length && { geomeans: parts }, worst: names[worst], core };
    printDocument({ schema: "el2.bench.userland/2", sets, warm, busy, cached, rounds, repeated, doubtful, programs, ...summary });
    return;
  }
  const ways = [warm && `run ${WARM_RUNS} of a boot`, busy && "one CPU kept busy", cached && "code of an earlier run"];
  const how = ways.filter(Boolean).map((way) => `, ${way}`).join("");
  console.log(`program          el2 ms  QEMU ms  CPU ms of vCPUs, of V8  QEMU time / el2 time: median (least-greatest) of ${rounds}${how}`);
  names.forEach((name, index) => {
    const cpu = (part: "vcpus" | "compiler") => median(results.map((round) => round.el2.get(name)!.cpu[part]));
    const figures = [...MACHINES.map((machine) => median(times(machine, name))), cpu("vcpus"), cpu("compiler")];
    const columns = figures.map((figure) => figure.toFixed(0).padStart(8));
    console.log(`${(UNSEEN.has(name) ? `${name} *` : name).padEnd(15)} ${columns.join(" ")}  ${withSpread(ratios[index])}`);
  });
  console.log(`geomean of ${names.length}   ${withSpread(overall)}; ${repeated} rounds repeated, ${doubtful} doubtful`);
  if (unseen.length) {
    const count = names.length - unseen.length;
    console.log(
      `geomean of ${count} that may be profiled: ${withSpread(parts.seen)}; of ${unseen.length} (*) that never are: ${
        withSpread(parts.unseen)
      }`,
    );
  }
  console.log(`worst           ${withSpread(ratios[worst])} ${names[worst]}`);
  for (const { core, milliseconds } of cores) printCore(core, milliseconds);
}
