// `deno task bench history`: time to go to random places of a long Debian session, time to find the
// last writers of words of its memory, and the cost of its kept states, in this process. With
// `--long`, of a session of 10 G instructions in a VM, with questions about registers, capabilities
// and interrupts, too, whose answers are compared with brute force.

import { assemble } from "../src/session/assembly/assemble.ts";
import { catalogEntry } from "../src/app/catalog/catalog.ts";
import { SessionRun } from "../src/session/engine/session-run.ts";
import type { Input } from "../src/model/plans/recorded-run.ts";
import type { SessionPlan } from "../src/model/plans/plan.ts";
import type { System } from "../src/session/assembly/system/system.ts";
import { type Accesses, AccessSearch } from "../src/session/recordings/past/accesses.ts";
import type { Past } from "../src/session/recordings/past/past.ts";
import { letIn } from "../src/session/recordings/past/input.ts";
import { loaded } from "../src/session/snapshots/begin.ts";
import { filledPages } from "../src/session/state/pages.ts";
import { PageFile } from "../src/session/state/page-file.ts";
import { DEFAULT_DISK_BUDGET } from "../src/model/plans/memory-budget.ts";
import { allowHugePages } from "../src/kit/support/computer/huge-pages.ts";
import { MiB, PAGE_SIZE } from "../src/kit/support/values/sizes.ts";
import { onlyRound, printedContest } from "./ab.ts";
import { type Figure, printDocument } from "./documents.ts";
import { percentile, withSpread } from "./statistics.ts";

/** Instructions of the session, places, and words. */
const LENGTH = 3e9, PLACES = 40, WORDS = 40;
/** The same with `--long`, and its questions by kind. */
const LONG_LENGTH = 10e9, LONG_PLACES = 100;
const QUESTIONS = { kernel: 40, user: 40, shared: 40, register: 40, capability: 20, interrupt: 20 };
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

/** A session: its plan, and the console at which it gets its work. */
interface Session {
  readonly plan: SessionPlan;
  readonly console: string;
  readonly length: number;
  /** It ends when it is as long and this is true. */
  readonly endsAt?: (system: System) => boolean;
}

/** Prints the figures, as text or as one JSON object. */
export async function benchHistory(rounds: number, json: boolean, long = false): Promise<void> {
  // The worker of a session does that, too.
  allowHugePages();
  const figures = new Map<string, number[]>();
  for (let round = 0; round < rounds; round++) {
    for (const [name, value] of await (long ? measureLong() : measure())) figures.set(name, [...figures.get(name) ?? [], value]);
  }
  const unit = (name: string) => name === "keeping states" ? "share" : /MiB|questions|answers/.exec(name)?.[0] ?? "ms";
  if (json) {
    const table = [...figures].filter(([what]) => what in MOST).map(([what, values]): Figure => ({
      what,
      unit: what === "keeping states" ? "share" : "ms",
      values,
      most: MOST[what],
    }));
    return printDocument({ schema: "el2.bench.history/1", rounds, table, figures: Object.fromEntries(figures) });
  }
  const [length, places] = long ? [LONG_LENGTH, LONG_PLACES] : [LENGTH, PLACES];
  console.log(`${places} places of a Debian session of ${length / 1e9} G instructions: median (least-greatest) of ${rounds}`);
  for (const [name, values] of figures) {
    console.log(`${name.padEnd(32)} ${withSpread(values, name === "keeping states" ? 3 : 2)} ${unit(name)}`);
  }
}

/** For `--ab`: the same figures, in a process of each tree. */
export const historyContest = printedContest("history", ({ figures }) => onlyRound(figures));

async function measure(): Promise<Map<string, number>> {
  const { folder } = await catalogEntry("debian");
  const [image, initrd] = await Promise.all(["Image", "initrd"].map((name) => Deno.readFile(`${folder}/${name}`)));
  const what = { kind: "boot", image, initrd, dtb: undefined, append: "console=ttyAMA0" } as const;
  const plan: SessionPlan = { cpus: 1, memory: 512 * MiB, turbo: true, seed: 1, tier: "auto", what };
  return await withRun({ plan, console: "host", length: LENGTH }, (system, run, figures) => {
    goToPlaces(system, run, PLACES, figures);
    const pages = [...filledPages(system.machine)].map(([page]) => page);
    const all = Array.from({ length: WORDS }, (_, index) => {
      const pa = pages[Math.floor(pages.length * spread(index))] * PAGE_SIZE + 8 * Math.floor(PAGE_SIZE / 8 * spread(7 * index));
      return timeOf(() => {
        const search = new AccessSearch(run.upTo(system), { kind: "memory", watch: { pa, length: 8, kind: "write" } }, 1);
        while (!search.advance(Infinity));
      });
    });
    addTimes(figures, "a writer", all);
  });
}

/** The same for questions of all kinds. */
async function measureLong(): Promise<Map<string, number>> {
  const { longPlan, hasProgram, questionsOf, answerOf, checkObjects, checkRegister, checkWords, isStepped } = await import(
    "./history-questions.ts"
  );
  return await withRun({ ...await longPlan(), length: LONG_LENGTH, endsAt: hasProgram }, (system, run, figures) => {
    goToPlaces(system, run, LONG_PLACES, figures);
    const asked = questionsOf(system, QUESTIONS, spread).map((question) => {
      let found: Accesses = { accesses: [] };
      const took = timeOf(() => found = answerOf(run, system, question));
      return { question, took, found };
    });
    addTimes(figures, "a writer", asked.map(({ took }) => took));
    console.error(`${[...figures].map(([name, value]) => `${name} ${value.toFixed(3)}`).join(", ")}; comparing the answers`);
    for (const kind of Object.keys(QUESTIONS)) {
      addTimes(figures, kind, asked.filter(({ question }) => question.kind === kind).map(({ took }) => took));
    }
    const ofKinds = (...kinds: (keyof typeof QUESTIONS)[]) => asked.filter(({ question }) => kinds.some((kind) => kind === question.kind));
    checkWords(run, system, ofKinds("kernel", "user", "shared"));
    checkObjects(run, system, ofKinds("capability", "interrupt"));
    const registers = ofKinds("register"), stepped = registers.filter(({ question }) => isStepped(system, question));
    for (const one of registers) if (!stepped.includes(one)) checkRegister(run, system, one);
    figures.set("questions", asked.length).set("single-stepped answers", stepped.length);
    figures.set("compared answers", asked.length - stepped.length);
  });
}

const spread = (index: number) => index * 0.618034 % 1;

function timeOf(work: () => void): number {
  const began = performance.now();
  work();
  return performance.now() - began;
}

function addTimes(figures: Map<string, number>, name: string, all: readonly number[]): void {
  figures.set(`${name}, p50`, percentile(all, 0.5)).set(`${name}, p99`, percentile(all, 0.99));
}

function goToPlaces(system: System, run: SessionRun, count: number, figures: Map<string, number>): void {
  let past: Past | undefined;
  const all = Array.from({ length: count }, (_, index) =>
    timeOf(() => {
      const place = Math.floor(system.instructions() * spread(index));
      if (past) run.leave(past);
      past = run.pastAt(run.milestone(place));
      while (!past.advance(place, Infinity));
    }));
  if (past) run.leave(past);
  addTimes(figures, "to a place", all);
}

/** Runs a session, and measures what is asked of it. */
async function withRun(
  session: Session,
  ask: (system: System, run: SessionRun, figures: Map<string, number>) => void,
): Promise<Map<string, number>> {
  const { plan } = session, states = await Deno.makeTempDir({ prefix: "el2-bench-" });
  const system = assemble(plan), file = PageFile.inFolder(states, DEFAULT_DISK_BUDGET);
  await Deno.remove(states);
  using _file = file.file;
  const run = new SessionRun(system, (state, left) => state ? loaded(plan, state, left) : assemble(plan), undefined, { file });
  const figures = runOn(system, run, session);
  ask(system, run, figures);
  for (const { part, used } of run.memory()) figures.set(`${part}, MiB`, used / MiB);
  return figures;
}

/** Runs a session; its cost of keeping states. */
function runOn(system: System, run: SessionRun, { length, console, endsAt = () => true }: Session): Map<string, number> {
  const { machine } = system;
  let kept = 0, ran = 0, isBusy = false;
  run.keepStates();
  while (system.instructions() < length || !endsAt(system)) {
    const began = performance.now();
    while (performance.now() < began + SLICE) {
      const result = machine.run(Infinity, 8);
      system.consoles.drain();
      system.events.drain();
      if (result.kind === "idle") machine.skipTo(result.next);
      else if (result.kind === "stopped") throw new Error("Debian has ended");
    }
    if (!isBusy && machine.time > BOOTED) {
      isBusy = true;
      const input: Input = { kind: "console", console, bytes: new TextEncoder().encode(WORK) };
      run.enter({ at: machine.boundary, settled: machine.settled }, input);
      letIn(system, input);
    }
    const ended = performance.now();
    run.keepPresent(ended - began);
    kept += performance.now() - ended;
    ran += ended - began;
  }
  return new Map([["keeping states", kept / ran], ["the run", ran]]);
}
