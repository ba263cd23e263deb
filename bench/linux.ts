// `deno task bench linux`: time to find the layout of a Linux kernel in a VM's memory, and to read
// its processes and its log, in this process; the part of a CPU that a screen takes, which asks
// again and again; the cost of its system calls as events; the same memory as a dump of 4 GiB; and
// the cost of a look at the verdicts.

import { assemble } from "../src/session/assembly/assemble.ts";
import { catalogEntry } from "../src/app/catalog/catalog.ts";
import type { GuestSystem } from "../src/session/assembly/system/guest-system.ts";
import type { Query } from "../src/model/queries/query.ts";
import { type Contest, onlyRound, printedContest } from "./ab.ts";
import { type Figure, printDocument } from "./documents.ts";
import { millisecondsToOpen } from "./opened-dump.ts";
import { withSpread } from "./statistics.ts";
import { cpuOfLooks } from "./verdict-looks.ts";

const MIB = 1 << 20, GIB = 2 ** 30;
/** Virtual time (ns) after which Debian has its shell. */
const BOOTED = 3e9;
/** Answers in a row, of which the last is measured: screens ask again and again. */
const REPEATS = 20;

const QUERIES: readonly (readonly [string, number, Query])[] = [
  ["processes (ps)", 20, { table: "linux.ps", args: {} }],
  ["threads and waits", 20, { table: "linux.ps", args: { threads: true } }],
  ["log", 20, { table: "linux.log", args: {} }],
];

/**
 * The questions of screen L; wall time (ms) from one answer to the next, and the part of a CPU that
 * they may take.
 */
const SHOWN: readonly Query[] = [
  { table: "linux.ps", args: {} },
  { table: "linux.log", args: { vm: "vm:host" } },
  { table: "linux.stack", args: { vm: "vm:host", pid: 1 } },
  { table: "linux.files", args: { vm: "vm:host", pid: 1 } },
];
const SCREEN = "answers of screen L every 200 ms", INTERVAL = 200, SCREEN_MOST = 0.03;

/** Programs that call their kernel all the time, many with paths; virtual ns until they do. */
const CALLS = "while true; do find / -xdev > /dev/null; done &\n", STARTED = 1e9;
/** The cost of events is that at so many calls in a virtual second, of the time without events. */
const EVENTS = "system calls as events, 100,000/s", PER_SECOND = 100_000, EVENTS_MOST = 0.15;
/** Pairs of runs without and with events, and virtual ns of each. */
const PAIRS = 10, LENGTH = 3e8;

/** Nothing in the file says where the kernel is. Milliseconds are wanted. */
const DUMP = "raw dump of 4 GiB, to its threads", DUMP_BYTES = 4 * GIB, DUMP_MOST = 2000;

/** Figures that are shares, and their goals. */
const SHARES = new Map([[SCREEN, SCREEN_MOST], [EVENTS, EVENTS_MOST]]);

/** Prints milliseconds and shares, as text or as one JSON object. */
export async function benchLinux(rounds: number, json: boolean): Promise<void> {
  const figures = new Map<string, number[]>();
  for (let round = 0; round < rounds; round++) {
    for (const [name, ms] of [...await measure(), ...await cpuOfLooks()]) figures.set(name, [...figures.get(name) ?? [], ms]);
  }
  if (json) {
    const most = new Map([...QUERIES.map(([name, most]) => [name, most] as const), [DUMP, DUMP_MOST]]);
    const table = [...figures].map(([what, values]): Figure =>
      SHARES.has(what) ? { what, unit: "share", values, most: SHARES.get(what) } : { what, unit: "ms", values, most: most.get(what) ?? 100 }
    );
    return printDocument({ schema: "el2.bench.linux/1", rounds, table, milliseconds: Object.fromEntries(figures) });
  }
  console.log(`ms, of events and the screen a share: median (least-greatest) of ${rounds}`);
  for (const [name, values] of figures) console.log(`${name.padEnd(34)} ${withSpread(values, SHARES.has(name) ? 3 : 1)}`);
}

/** The figures that the bench of a tree prints. */
export const linuxFigures = printedContest("linux", ({ milliseconds }) => onlyRound(milliseconds));

/** For `--ab`: the same figures, in a process of each tree; looks by the script of this one. */
export const linuxContest: Contest = async (folder) => {
  const printed = await linuxFigures(folder);
  return async () => new Map([...await printed(), ...await cpuOfLooks()]);
};

async function measure(): Promise<Map<string, number>> {
  const system = await booted(), figures = new Map<string, number>();
  const time = (name: string, work: () => unknown) => {
    const began = performance.now();
    work();
    figures.set(name, performance.now() - began);
  };
  time("symbols (kallsyms), once", () => system.symbols.all("host"));
  time("layout, once", () => system.inspector.answer({ table: "linux.ls", args: {} }));
  for (const [name, , query] of QUERIES) {
    for (let repeat = 0; repeat < REPEATS; repeat++) time(name, () => system.inspector.answer(query));
  }
  time(SCREEN, () => {
    for (let repeat = 0; repeat < REPEATS; repeat++) for (const query of SHOWN) system.inspector.answer(query);
  });
  figures.set(SCREEN, (figures.get(SCREEN) ?? NaN) / REPEATS / INTERVAL);
  figures.set(EVENTS, costOfEvents(system));
  figures.set(DUMP, millisecondsToOpen(system, DUMP_BYTES));
  return figures;
}

/** The part that events of system calls add to the time of a run. */
function costOfEvents(system: GuestSystem): number {
  const { hypervisor: { trace }, consoles, kernelEvents, machine } = system;
  consoles.type("host", new TextEncoder().encode(CALLS));
  runTo(system, machine.time + STARTED);
  let calls = 0, without = 0, observed = 0;
  const timed = () => {
    const began = performance.now();
    runTo(system, machine.time + LENGTH);
    return performance.now() - began;
  };
  for (let pair = 0; pair < PAIRS; pair++) {
    without += timed();
    const end = trace.listen(["syscall"], () => calls++);
    kernelEvents.follow();
    observed += timed();
    end();
  }
  if (calls === 0) throw new Error("no system call was seen");
  return (observed / without - 1) * PER_SECOND * PAIRS * LENGTH / 1e9 / calls;
}

/** Debian's shell waits. */
async function booted(): Promise<GuestSystem> {
  const { folder } = await catalogEntry("debian");
  const [image, initrd] = await Promise.all(["Image", "initrd"].map((name) => Deno.readFile(`${folder}/${name}`)));
  const what = { kind: "boot", image, initrd, dtb: undefined, append: "console=ttyAMA0" } as const;
  const system = assemble({ cpus: 1, memory: 256 * MIB, turbo: true, seed: 1, what });
  runTo(system, BOOTED);
  return system;
}

function runTo({ machine }: GuestSystem, time: number): void {
  while (machine.time < time) {
    const result = machine.run(time, 1000);
    if (result.kind === "idle") machine.skipTo(Math.min(result.next, time));
    else if (result.kind === "stopped") throw new Error("Debian has ended");
  }
}
