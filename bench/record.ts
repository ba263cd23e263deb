// `deno task bench record`: what recording costs a run, and a profile or coverage costs its replay,
// in CPU time of the whole process. The same run with and without `--record`, its replay, its exact
// and sampled profile, and its coverage, in turn; and the replay of a copy without hash points.

import { fileURLToPath } from "node:url";
import { type Figure, printDocument } from "./documents.ts";
import { catalogEntry } from "../src/app/catalog/catalog.ts";
import type { Contest } from "./ab.ts";
import { el2 } from "./machines.ts";
import { type Rounds, trustedRounds } from "./rounds.ts";
import { sealed } from "../src/session/recordings/file/recording-writer.ts";
import { median, withSpread } from "./statistics.ts";

const DEMO = fileURLToPath(new URL("../assets/demo.toml", import.meta.url));
/** Virtual time that the demo runs: VMs that call, wait and talk all the time. */
const DEMO_TIME = "300s";
/** The shell's own `time`: seconds of user and of system time, on stderr. */
const TIMED = 'TIMEFORMAT="%U %S"; time "$@"';

/** The line of a hash point. */
const HASH_POINT = /^\{"at":[^,"]*,"check":\{/;

/** CPU seconds, and bytes of the recording. */
interface Costs {
  readonly plain: number;
  readonly recorded: number;
  readonly bytes: number;
  readonly replayed: number;
  /** The replay of a copy that has no hash points. */
  readonly unchecked: number;
  readonly counted: number;
  readonly sampled: number;
  readonly covered: number;
}

/** Additions to the time of another run: the name of the cost, and the most that is wanted. */
const ADDED = [
  { what: "a recording adds", than: "plain", takes: "recorded", most: 0.05 },
  { what: "hash points add to a replay", than: "unchecked", takes: "replayed", most: 0.02 },
  { what: "exact counts add to a replay", than: "replayed", takes: "counted", most: 0.25 },
  { what: "samples of stacks add to a replay", than: "replayed", takes: "sampled", most: 0.05 },
  { what: "coverage adds to a replay", than: "replayed", takes: "covered", most: 0.15 },
] as const;

/** The command that boots a Debian, which powers off. */
export async function debianBoot(): Promise<string[]> {
  const { folder } = await catalogEntry("debian");
  const kernel = ["boot", `${folder}/Image`, "--initrd", `${folder}/initrd`];
  return [...kernel, "--append", "console=ttyAMA0 el2=poweroff", "--memory", "512MiB"];
}

/** The runs that are recorded, by what they are. */
async function commandLines(): Promise<Record<string, readonly string[]>> {
  return {
    "Debian boots and powers off": [...await debianBoot(), "--turbo", "--stdio"],
    [`the demo, ${DEMO_TIME}`]: ["run", DEMO, "--turbo", "--for", DEMO_TIME],
  };
}

/** For `--ab`: CPU seconds of each run, without and with a recording. */
export const recordContest: Contest = async () => {
  const runs = Object.entries(await commandLines());
  return async () => {
    const figures = new Map<string, number>();
    for (const [name, words] of runs) {
      const { plain, recorded } = await measure(words);
      figures.set(name, plain).set(`${name}, recorded`, recorded);
    }
    return figures;
  };
};

/** Runs the bench and prints it, as text or as one JSON object. */
export async function benchRecord(rounds: number, json: boolean): Promise<void> {
  const runs = await commandLines();
  if (!json) console.log(`CPU seconds of runs, and what recordings, profiles and coverage cost: median (least-greatest) of ${rounds}`);
  const all: Record<string, unknown>[] = [], table: Figure[] = [];
  for (const [name, words] of Object.entries(runs)) {
    const measured = await trustedRounds(rounds, () => measure(words));
    if (!json) {
      print(name, measured);
      continue;
    }
    all.push({ run: name, ...measured });
    for (const { what, most, ...cost } of ADDED) {
      table.push({ what: `CPU time that ${what}: ${name}`, unit: "share", values: costs(measured, cost), most });
    }
  }
  if (json) printDocument({ schema: "el2.bench.record/1", rounds, table, runs: all });
}

async function measure(words: readonly string[]): Promise<Costs> {
  const folder = await Deno.makeTempDir({ prefix: "el2-bench-" }), file = `${folder}/a.rec`;
  try {
    const plain = await cpuSeconds(el2(...words));
    const recorded = await cpuSeconds(el2(...words, "--record", file));
    const replayed = await cpuSeconds(el2("replay", file));
    const unchecked = await cpuSeconds(el2("replay", await withoutChecks(file)));
    const counted = await cpuSeconds(el2("profile", file));
    const sampled = await cpuSeconds(el2("profile", file, "--stacks", `${folder}/a.folded`));
    const covered = await cpuSeconds(el2("coverage", file));
    return { plain, recorded, bytes: (await Deno.stat(file)).size, replayed, unchecked, counted, sampled, covered };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/**
 * A copy of a recording without its hash points. The demo retires fewer instructions than lie
 * before the first: its figure is that of chance, and shows how much the other one has of it.
 */
async function withoutChecks(file: string): Promise<string> {
  const lines = (await Deno.readTextFile(file)).split("\n").slice(0, -2), copy = `${file}-unchecked`;
  const kept = lines.filter((line) => !HASH_POINT.test(line));
  await Deno.writeTextFile(copy, sealed(kept.map((line) => `${line}\n`).join("")));
  return copy;
}

/** User and system time of a program and what it started. */
export async function cpuSeconds(command: readonly string[]): Promise<number> {
  const { code, stderr } = await new Deno.Command("bash", { args: ["-c", TIMED, "bash", ...command], stdin: "null" }).output();
  const text = new TextDecoder().decode(stderr);
  const times = text.trim().split("\n").at(-1)?.match(/^([\d.]+) ([\d.]+)$/);
  if (code !== 0 || !times) throw new Error(`exit code ${code}:\n${text.slice(-2000)}`);
  return Number(times[1]) + Number(times[2]);
}

/** Time added in each round, as a share of that of the other run. */
function costs({ results }: Rounds<Costs>, { than, takes }: Pick<typeof ADDED[number], "than" | "takes">): number[] {
  return results.map((one) => one[takes] / one[than] - 1);
}

function print(name: string, measured: Rounds<Costs>): void {
  const { results, repeated, doubtful } = measured;
  const [plain, replayed] = (["plain", "replayed"] as const).map((key) => withSpread(results.map((one) => one[key])));
  const bytes = median(results.map(({ bytes }) => bytes));
  console.log(`${name}: ${plain}, its replay ${replayed}; ${bytes} bytes; ${repeated} repeated, ${doubtful} doubtful`);
  for (const { what, ...cost } of ADDED) console.log(`  ${what} ${withSpread(costs(measured, cost).map((share) => 100 * share), 1)} %`);
}
