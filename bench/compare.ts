// `deno task bench core --ab REV`: the kernels on el2 of this tree and of a revision, in turn, and
// how likely a difference is chance.

import { buildGuest, measure } from "./kernels.ts";
import { prefer } from "./machines.ts";
import { trustedRounds } from "./rounds.ts";
import { median, permutationTest } from "./statistics.ts";

const TREE = new URL("..", import.meta.url).pathname;

async function git(...args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command("git", { args: ["-C", TREE, ...args] }).output();
  if (!success) throw new Error(`git ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
}

/** Compares with `revision` and prints what came out, as text or as one JSON object. */
export async function compareCore(revision: string, tier: Parameters<typeof prefer>[0], rounds: number, json: boolean): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "el2-bench-" }), other = `${folder}/tree`;
  await git("worktree", "add", "--detach", other, revision);
  try {
    const kernel = await buildGuest("core", folder);
    const { results, repeated, doubtful } = await trustedRounds(rounds, async () => {
      prefer(tier, other);
      const before = await measure("el2", kernel, false);
      prefer(tier);
      return { before, after: await measure("el2", kernel, false) };
    });
    const kernels = [...results[0].after.kernels.keys()].map((name) => {
      const times = (which: "before" | "after") => results.map((round) => round[which].kernels.get(name)!.milliseconds);
      const before = times("before"), after = times("after");
      return { name, before, after, ratio: median(before) / median(after), chance: permutationTest(before, after) };
    });
    if (json) return console.log(JSON.stringify({ schema: "el2.bench.ab/1", revision, rounds, repeated, doubtful, kernels }));
    console.log(`kernel   ${revision} ms  this ms  time before / now; chance that a difference like that is none`);
    for (const { name, before, after, ratio, chance } of kernels) {
      const columns = [before, after].map((times) => median(times).toFixed(0).padStart(8));
      console.log(`${name.padEnd(8)} ${columns.join(" ")}  ${ratio.toFixed(2)}  ${chance.toFixed(3)}`);
    }
    console.log(`${repeated} rounds repeated, ${doubtful} doubtful`);
  } finally {
    prefer(tier);
    await git("worktree", "remove", "--force", other);
    await Deno.remove(folder, { recursive: true });
  }
}
