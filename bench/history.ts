// `deno task bench history`: time to go to random places of a long Debian session, time to find the
// last writers of words of its memory, and the cost of its kept states, in this process.

import { assemble } from "../src/assembly/assemble.ts";
import { catalogEntry } from "../src/catalog/catalog.ts";
import { SessionRun } from "../src/engine/session-run.ts";
import type { Input } from "../src/plans/recorded-run.ts";
import type { SessionPlan } from "../src/plans/plan.ts";
import { AccessSearch } from "../src/recordings/accesses.ts";
import { letIn } from "../src/recordings/input.ts";
import { loaded } from "../src/snapshots/begin.ts";
import { filledPages } from "../src/state/pages.ts";
import { PageFile } from "../src/state/page-file.ts";
import type { SystemState } from "../src/state/system-state.ts";
import { DEFAULT_DISK_BUDGET } from "../src/plans/memory-budget.ts";
import { MiB, PAGE_SIZE } from "../src/support/sizes.ts";
import { onlyRound, printedContest } from "./ab.ts";
import { type Figure, printDocument } from "./documents.ts";
import { percentile, withSpread } from "./statistics.ts";

/** Instructions of the session, places, and words. */
const LENGTH = 3e9, PLACES = 40, WORDS = 40;
/** Wall time (ms) of a slice, as an engine has. */
const SLICE = 5;
/** Virtual time (ns) after which Debian has its shell, and its work from then on. */
const BOOTED = 3e9;
const WORK = "while :; do sha256sum /bin/busybox > /dev/null; dd if=/dev/zero of=/a bs=64k count=40; ls -lR /sys > /dev/null; done\n";

/** The most that is wanted: ms, and a share of the run's time. */
const MOST: Readonly<Record<string, number>> = {
  "to a place, p50": 500,
  "to a place, p99": 1500,
  "a writer, p50": 1000,
  "a writer, p99": 3000,
  "keeping states": 0.03,
};

/** Prints the figures, as text or as one JSON object. */
export async function benchHistory(rounds: number, json: boolean): Promise<void> {
  const figures = new Map<string, number[]>();
  for (let round = 0; round < rounds; round++) {
    for (const [name, value] of await measure()) figures.set(name, [...figures.get(name) ?? [], value]);
  }
  const unit = (name: string) => name === "keeping states" ? "share" : name.endsWith("MiB") ? "MiB" : "ms";
  if (json) {
    const table = [...figures].filter(([what]) => what in MOST).map(([what, values]): Figure => ({
      what,
      unit: unit(what),
      values,
      most: MOST[what],
    }));
    return printDocument({ schema: "el2.bench.history/1", rounds, table, figures: Object.fromEntries(figures) });
  }
  console.log(`${PLACES} places of a Debian session of ${LENGTH / 1e9} G instructions: median (least-greatest) of ${rounds}`);
  for (const [name, values] of figures) console.log(`${name.padEnd(32)} ${withSpread(values)} ${unit(name)}`);
}

/** For `--ab`: the same figures, in a process of each tree. */
export const historyContest = printedContest("history", ({ figures }) => onlyRound(figures));

async function measure(): Promise<Map<string, number>> {
  const { folder } = await catalogEntry("debian"), states = await Deno.makeTempDir({ prefix: "el2-bench-" });
  const [image, initrd] = await Promise.all(["Image", "initrd"].map((name) => Deno.readFile(`${folder}/${name}`)));
  const what = { kind: "boot", image, initrd, dtb: undefined, append: "console=ttyAMA0" } as const;
  const plan: SessionPlan = { cpus: 1, memory: 512 * MiB, turbo: true, seed: 1, tier: "auto", what };
  const system = assemble(plan), file = PageFile.inFolder(states, DEFAULT_DISK_BUDGET);
  await Deno.remove(states);
  using _file = file.file;
  const run = new SessionRun(system, (state?: SystemState) => state ? loaded(plan, state) : assemble(plan), undefined, { file });
  const figures = runOn(system, run);
  const spread = (index: number) => index * 0.618034 % 1;
  const times = (name: string, count: number, work: (index: number) => void) => {
    const all = Array.from({ length: count }, (_, index) => {
      const began = performance.now();
      work(index);
      return performance.now() - began;
    });
    figures.set(`${name}, p50`, percentile(all, 0.5)).set(`${name}, p99`, percentile(all, 0.99));
  };
  times("to a place", PLACES, (index) => {
    const place = Math.floor(system.instructions() * spread(index)), past = run.pastAt(run.milestone(place));
    while (!past.advance(place, Infinity));
  });
  const pages = [...filledPages(system.machine)].map(([page]) => page);
  times("a writer", WORDS, (index) => {
    const pa = pages[Math.floor(pages.length * spread(index))] * PAGE_SIZE + 8 * Math.floor(PAGE_SIZE / 8 * spread(7 * index));
    const search = new AccessSearch(run.upTo(system), { kind: "memory", watch: { pa, length: 8, kind: "write" } }, 1);
    while (!search.advance(Infinity));
  });
  for (const { part, used } of run.memory()) figures.set(`${part}, MiB`, used / MiB);
  return figures;
}

/** Runs a session; its cost of keeping states. */
function runOn(system: ReturnType<typeof assemble>, run: SessionRun): Map<string, number> {
  const { machine } = system;
  let kept = 0, ran = 0, isBusy = false;
  run.keepStates();
  while (system.instructions() < LENGTH) {
    const began = performance.now();
    while (performance.now() < began + SLICE) {
      const result = machine.run(Infinity, 8);
      system.consoles.take();
      system.events.take();
      if (result.kind === "idle") machine.skipTo(result.next);
      else if (result.kind === "stopped") throw new Error("Debian has ended");
    }
    if (!isBusy && machine.time > BOOTED) {
      isBusy = true;
      const input: Input = { kind: "console", console: "host", bytes: new TextEncoder().encode(WORK) };
      run.enter({ at: machine.boundary, settled: machine.settled }, input);
      letIn(system, input);
    }
    const ended = performance.now();
    run.keepPresent(ended - began);
    kept += performance.now() - ended;
    ran += ended - began;
  }
  return new Map([["keeping states", kept / ran]]);
}
