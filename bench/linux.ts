// `deno task bench linux`: time to find the layout of a Linux kernel in a VM's memory, and to read
// its processes and its log, in this process.

import { assemble } from "../src/assembly/assemble.ts";
import { catalogEntry } from "../src/catalog/catalog.ts";
import type { GuestSystem } from "../src/assembly/system/guest-system.ts";
import type { Query } from "../src/queries/query.ts";
import { onlyRound, printedContest } from "./ab.ts";
import { type Figure, printDocument } from "./documents.ts";
import { withSpread } from "./statistics.ts";

const MIB = 1 << 20, SLICE = 1e8;
/** Virtual time (ns) after which Debian has its shell. */
const BOOTED = 3e9;
/** Answers in a row, of which the last is measured: screens ask again and again. */
const REPEATS = 20;

const QUERIES: readonly (readonly [string, number, Query])[] = [
  ["processes (ps)", 20, { table: "linux.ps", args: {} }],
  ["threads and waits", 20, { table: "linux.ps", args: { threads: true } }],
  ["log", 20, { table: "linux.log", args: {} }],
];

/** Prints milliseconds, as text or as one JSON object. */
export async function benchLinux(rounds: number, json: boolean): Promise<void> {
  const figures = new Map<string, number[]>();
  for (let round = 0; round < rounds; round++) {
    for (const [name, ms] of await measure()) figures.set(name, [...figures.get(name) ?? [], ms]);
  }
  if (json) {
    const most = new Map(QUERIES.map(([name, most]) => [name, most]));
    const table = [...figures].map(([what, values]): Figure => ({ what, unit: "ms", values, most: most.get(what) ?? 100 }));
    return printDocument({ schema: "el2.bench.linux/1", rounds, table, milliseconds: Object.fromEntries(figures) });
  }
  console.log(`ms: median (least-greatest) of ${rounds}`);
  for (const [name, values] of figures) console.log(`${name.padEnd(32)} ${withSpread(values, 1)}`);
}

/** For `--ab`: the same figures, in a process of each tree. */
export const linuxContest = printedContest("linux", ({ milliseconds }) => onlyRound(milliseconds));

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
  return figures;
}

/** Debian's shell waits. */
async function booted(): Promise<GuestSystem> {
  const { folder } = await catalogEntry("debian");
  const [image, initrd] = await Promise.all(["Image", "initrd"].map((name) => Deno.readFile(`${folder}/${name}`)));
  const what = { kind: "boot", image, initrd, dtb: undefined, append: "console=ttyAMA0" } as const;
  const system = assemble({ cpus: 1, memory: 256 * MIB, turbo: true, seed: 1, what }), { machine } = system;
  for (let end = SLICE; end <= BOOTED; end += SLICE) {
    while (machine.time < end) {
      const result = machine.run(end, 1000);
      if (result.kind === "idle") machine.skipTo(Math.min(result.next, end));
      else if (result.kind === "stopped") throw new Error("Debian has ended");
    }
  }
  return system;
}
