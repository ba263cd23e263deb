// `--ab REV` of every bench: el2 of this tree and of a revision in turn, and how likely a
// difference is chance. Only el2 is measured, without QEMU.

import { fileURLToPath } from "node:url";
import { printDocument } from "./documents.ts";
import { prefer, preferredTree, prepareTree } from "./machines.ts";
import { trustedRounds } from "./rounds.ts";
import { median, permutationTest } from "./statistics.ts";

/** Figures of one run by name, each of which is better when it is smaller: times, bytes, shares. */
export type Figures = ReadonlyMap<string, number>;

/** Measures one bench of the preferred el2 (`prefer`); `folder` is for its files. */
export type Contest = (folder: string) => Promise<() => Promise<Figures>>;

/** A figure counts as slower beyond this ratio of medians, if chance is below `CHANCE`. */
const SLOWER = 1.02;
const CHANCE = 0.05;

const TREE = fileURLToPath(new URL("..", import.meta.url));

async function git(...args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command("git", { args: ["-C", TREE, ...args] }).output();
  if (!success) throw new Error(`git ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
}

/**
 * Compares with `revision`, each side `rounds` times, either first in turn, and prints what came
 * out, as text or as one JSON object.
 */
export async function compareTrees(
  name: string,
  contest: Contest,
  revision: string,
  tier: Parameters<typeof prefer>[0],
  rounds: number,
  json: boolean,
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "el2-bench-" }), other = `${folder}/tree`;
  await git("worktree", "add", "--detach", other, revision);
  try {
    await prepareTree(other);
    const measure = await contest(folder);
    const sideOf = { before: revision, after: "this tree" } as const;
    let turn = 0;
    const { results, repeated, doubtful } = await trustedRounds(rounds, async () => {
      const sides: Partial<Record<"before" | "after", Figures>> = {};
      const order = turn++ % 2 === 0 ? ["before", "after"] as const : ["after", "before"] as const;
      for (const side of order) {
        prefer(tier, side === "before" ? other : undefined);
        const began = performance.now();
        sides[side] = await measure();
        // Rounds of some benches take minutes, and some are repeated.
        console.error(`round ${turn} of at least ${rounds}, ${sideOf[side]}: ${((performance.now() - began) / 1000).toFixed(0)} s`);
      }
      return sides as Record<"before" | "after", Figures>;
    });
    const figures = [...results[0].after.keys()].filter((figure) => results[0].before.has(figure)).map((figure) => {
      const values = (side: "before" | "after") => results.map((round) => round[side].get(figure)!);
      const before = values("before"), after = values("after");
      const ratio = median(after) / median(before), chance = permutationTest(before, after);
      return { name: figure, before, after, ratio, chance, slower: ratio > SLOWER && chance < CHANCE };
    });
    if (json) return printDocument({ schema: "el2.bench.ab/2", bench: name, revision, rounds, repeated, doubtful, figures });
    print(revision, figures);
    console.log(`${rounds} rounds, ${repeated} repeated, ${doubtful} doubtful; ${figures.filter(({ slower }) => slower).length} slower`);
  } finally {
    prefer(tier);
    await git("worktree", "remove", "--force", other);
    await Deno.remove(folder, { recursive: true });
  }
}

interface Compared {
  readonly name: string;
  readonly before: readonly number[];
  readonly after: readonly number[];
  readonly ratio: number;
  readonly chance: number;
  readonly slower: boolean;
}

function print(revision: string, figures: readonly Compared[]): void {
  const width = Math.max(6, ...figures.map(({ name }) => name.length));
  console.log(`${"figure".padEnd(width)} ${revision.slice(0, 10).padStart(10)}       this  this / ${revision.slice(0, 10)}  chance`);
  for (const { name, before, after, ratio, chance, slower } of figures) {
    const columns = [before, after].map((values) => median(values).toPrecision(4).padStart(10));
    console.log(`${name.padEnd(width)} ${columns.join(" ")}  ${ratio.toFixed(3)}  ${chance.toFixed(3)}${slower ? "  SLOWER" : ""}`);
  }
}

/**
 * A contest of benches that run el2 in their own process: the figures are those that the bench of
 * the preferred tree prints itself. It has the rights that the tree's task gives it.
 * @param pick gets the figures out of its document of one round
 */
export function printedContest(bench: string, pick: (result: Record<string, unknown>) => Figures): Contest {
  return () =>
    Promise.resolve(async () => {
      const tree = preferredTree();
      const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
        args: ["task", "-q", "bench", bench, "--rounds", "1", "--json"],
        cwd: tree,
        stdin: "null",
      }).output();
      if (!success) throw new Error(`bench ${bench} of ${tree}: ${new TextDecoder().decode(stderr).slice(-2000)}`);
      return pick(JSON.parse(new TextDecoder().decode(stdout).trim().split("\n").at(-1)!));
    });
}

/** Figures of a document whose `values` are those of one round, each in a list. */
export function onlyRound(values: unknown): Figures {
  return new Map(Object.entries(values as Record<string, readonly [number]>).map(([name, [value]]) => [name, value]));
}
