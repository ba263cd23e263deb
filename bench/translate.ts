// `deno task bench translate`: what it costs to translate code of real programs. In runs of ten
// programs of Debian: microseconds and bytes per instruction, by phase, what the bytes are for, how
// many regions were made again or looked for in vain, and why instructions were. Then the requests
// of these runs alone, in another process, whose compiler is cold at first and then warm.

import { onlyRound, printedContest } from "./ab.ts";
import { printDocument } from "./documents.ts";
import { el2Module } from "./machines.ts";
import { trustedRounds } from "./rounds.ts";
import { withSpread } from "./statistics.ts";
import type { Again } from "./made-again.ts";
import type { Pass, Phases, Replayed } from "./translate-replay.ts";
import { runSet, suiteGuest, type UserlandSet } from "./userland.ts";

/** Compilers, interpreters, JIT compilers and a shell, by sets; none of `UNSEEN`. */
const PROGRAMS: Readonly<Partial<Record<UserlandSet, readonly string[]>>> = {
  base: ["python", "perl", "sqlite", "sh-loop"],
  cc: ["cc-O2"],
  jit: ["node-objects", "luajit-objects"],
  wide: ["php", "sbcl", "swipl"],
};

/** Goals of a warm process, of one that has translated nothing, and of the code. */
const WARM_MICROSECONDS = 8, FIRST_MICROSECONDS = 12, BYTES = 48;

const REPLAY = "bench/translate-replay.ts";
const PASSES = { first: "first 1,000", cold: "the others", warm: "all again" } as const;
/** Reasons why instructions are made again (made-again.ts). */
const AGAIN = {
  same: "the same region",
  grown: "a region that reaches further",
  inner: "a region that begins inside of another",
  outer: "a region around another",
} as const satisfies Partial<Record<keyof Again, string>>;
const PHASES = ["decoding", "analysis", "emission", "module", "instance"] as const satisfies readonly (keyof Phases)[];

/** The translator's counters in the runs of the programs, added up. */
type Counters = Record<string, number>;

/** Runs the programs, with what el2 keeps of their code in `cache`. */
async function record(cache: string): Promise<Counters> {
  const sum: Counters = {};
  for (const [set, only] of Object.entries(PROGRAMS)) {
    const name = set as UserlandSet, { core } = await runSet("el2", { ...await suiteGuest(name, name, only), cache });
    for (const [counter, count] of Object.entries(core?.translator ?? {})) sum[counter] = (sum[counter] ?? 0) + count;
  }
  return sum;
}

async function replay(cache: string): Promise<Replayed> {
  const [program, ...args] = el2Module(REPLAY, cache);
  const { success, stdout } = await new Deno.Command(program, { args, stderr: "inherit" }).output();
  if (!success) throw new Error("the requests cannot be replayed");
  return JSON.parse(new TextDecoder().decode(stdout));
}

/** Microseconds per instruction. */
const each = (milliseconds: number, instructions: number): number => milliseconds * 1000 / instructions;
const all = ({ phases, instructions }: Pass): number => each(PHASES.reduce((sum, phase) => sum + phases[phase], 0), instructions);

/** One round: the runs, then their requests alone. */
interface Round {
  readonly counters: Counters;
  readonly replayed: Replayed;
}

async function measure(): Promise<Round> {
  const cache = await Deno.makeTempDir({ prefix: "el2-bench-" });
  try {
    return { counters: await record(cache), replayed: await replay(cache) };
  } finally {
    await Deno.remove(cache, { recursive: true });
  }
}

/** Figures of a round, each of which is better when it is smaller. */
function figuresOf({ counters, replayed: { passes, kinds, again, allocated } }: Round): Record<string, number> {
  const { instructions, milliseconds, wasmBytes, discoveryMilliseconds, emissionMilliseconds, modulesMilliseconds } = counters;
  return {
    "in the run: us an instruction": each(milliseconds, instructions),
    "in the run: finding instructions": each(discoveryMilliseconds, instructions),
    "in the run: analysis, emission": each(emissionMilliseconds, instructions),
    "in the run: modules": each(modulesMilliseconds, instructions),
    "bytes an instruction": wasmBytes / instructions,
    ...Object.fromEntries(
      Object.entries(kinds).sort(([, a], [, b]) => b - a).map(([kind, bytes]) => [`  ${kind}`, bytes / passes.warm.instructions]),
    ),
    ...Object.fromEntries(
      Object.entries(PASSES).map(([pass, what]) => [`alone, ${what}: us an instruction`, all(passes[pass as keyof typeof PASSES])]),
    ),
    ...Object.fromEntries(
      PHASES.map((phase) => [`alone, ${PASSES.warm}: ${phase}`, each(passes.warm.phases[phase], passes.warm.instructions)]),
    ),
    ...Object.fromEntries(
      Object.entries(AGAIN).map((
        [reason, what],
      ) => [`made again of 100: ${what}`, 100 * again[reason as keyof typeof AGAIN] / passes.warm.instructions]),
    ),
    "alone: bytes allocated an instruction": allocated,
  };
}

/** For `--ab`: one round of each tree, in a process of that tree. */
export const translateContest = printedContest("translate", ({ figures }) => onlyRound(figures));

/** Runs the bench and prints it, as text or as one JSON object. */
export async function benchTranslate(rounds: number, json: boolean): Promise<void> {
  const { results, repeated, doubtful } = await trustedRounds(rounds, measure);
  const tables = results.map(figuresOf), { counters } = results[rounds - 1];
  const figures = Object.fromEntries(Object.keys(tables[0]).map((name) => [name, tables.map((table) => table[name])]));
  if (json) {
    return printDocument({ schema: "el2.bench.translate/1", rounds, repeated, doubtful, programs: PROGRAMS, figures, counters });
  }
  const goals: Readonly<Record<string, number>> = {
    "bytes an instruction": BYTES,
    [`alone, ${PASSES.first}: us an instruction`]: FIRST_MICROSECONDS,
    [`alone, ${PASSES.warm}: us an instruction`]: WARM_MICROSECONDS,
  };
  for (const [name, values] of Object.entries(figures)) {
    const goal = goals[name] === undefined ? "" : `  (goal ${goals[name]})`;
    console.log(`${name.padEnd(42)} ${withSpread(values, 1)}${goal}`);
  }
  const again = ["returned", "cached", "restored", "dropped", "evicted", "searched"].map((name) => `${name} ${counters[name] ?? 0}`);
  console.log(
    `last round: ${counters.modules} modules, ${counters.regions} regions, ${counters.instructions} instructions; ${again.join(", ")}`,
  );
  console.log(`${rounds} rounds, ${repeated} repeated, ${doubtful} doubtful`);
}
