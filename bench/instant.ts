// `deno task bench instant`: from the start of the process to the prompt of a Debian guest, with a
// snapshot of it in the cache; in turn with the generated core there as well, and without.

import { type Figure, printDocument } from "./documents.ts";
import { PROMPT } from "../src/kit/support/text/shell.ts";
import type { Contest } from "./ab.ts";
import { el2, preferredTree } from "./machines.ts";
import { median } from "./statistics.ts";

/** Starts in a round. */
const STARTS = 3;

/**
 * Prints median and longest of the starts of each kind, seconds. The first start, which boots,
 * counts for itself.
 */
export async function benchInstant(rounds: number, json: boolean): Promise<void> {
  const cache = await Deno.makeTempDir({ prefix: "el2-bench-" });
  try {
    const first = await promptAfter(cache);
    const times: number[] = [], generating: number[] = [];
    for (let start = 0; start < rounds * STARTS; start++) {
      times.push(await promptAfter(cache));
      // The start that follows keeps it again.
      await Deno.remove(`${cache}/core`, { recursive: true });
      generating.push(await promptAfter(cache));
    }
    const result = {
      boot_seconds: first,
      starts: times.length,
      prompt_seconds: median(times),
      prompt_seconds_longest: Math.max(...times),
      prompt_seconds_core_generated: median(generating),
    };
    if (json) {
      const table: Figure[] = [
        { what: "Debian's prompt from its snapshot", unit: "s", values: times, most: 0.3 },
        { what: "the same, core generated", unit: "s", values: generating },
        { what: "the first start, which boots", unit: "s", values: [first] },
      ];
      return printDocument({ schema: "el2.bench.instant/1", table, ...result });
    }
    for (const [name, value] of Object.entries(result)) console.log(`${name.padEnd(30)} ${value.toFixed(3)}`);
  } finally {
    await Deno.remove(cache, { recursive: true });
  }
}

/**
 * For `--ab`: seconds to the prompt, the median of several starts, each tree with its own cache.
 */
export const instantContest: Contest = async (folder) => {
  await Deno.mkdir(`${folder}/caches`);
  const caches = new Map<string, string>();
  return async () => {
    const tree = preferredTree();
    let cache = caches.get(tree);
    if (cache === undefined) {
      cache = await Deno.makeTempDir({ dir: `${folder}/caches` });
      caches.set(tree, cache);
      await promptAfter(cache);
    }
    const times: number[] = [];
    for (let start = 0; start < STARTS; start++) times.push(await promptAfter(cache));
    return new Map([["prompt", median(times)]]);
  };
};

/**
 * Seconds until the prompt is on stdout. The program ends in order, so that it can leave its
 * snapshot.
 */
async function promptAfter(cache: string): Promise<number> {
  // Guests come from the usual cache, but not the snapshot.
  const own = await Deno.realPath(Deno.env.get("EL2_CACHE") ?? `${Deno.env.get("HOME")}/.cache/el2`);
  await linkAll(own, cache);
  const [program, ...args] = el2("run", "debian", "--instant", "--stdio");
  const began = performance.now();
  const child = new Deno.Command(program, {
    args,
    env: { EL2_CACHE: cache },
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  let text = "", seconds = NaN;
  for await (const chunk of child.stdout) {
    text += new TextDecoder().decode(chunk);
    if (Number.isNaN(seconds) && PROMPT.test(text.replaceAll(/\x1b\[[0-9;?]*[A-Za-z]/g, ""))) {
      seconds = (performance.now() - began) / 1000;
      const writer = child.stdin.getWriter();
      await writer.write(new TextEncoder().encode("poweroff -f\n"));
      await writer.close();
    }
  }
  const { code } = await child.status;
  if (code !== 0 || Number.isNaN(seconds)) throw new Error(`no prompt; exit code ${code}:\n${text.slice(-2000)}`);
  return seconds;
}

/** Links to everything in a cache but what starts leave there. */
async function linkAll(from: string, to: string): Promise<void> {
  for await (const { name } of Deno.readDir(from)) {
    if (name === "instant" || name === "core") continue;
    try {
      await Deno.symlink(`${from}/${name}`, `${to}/${name}`);
    } catch (error) {
      if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    }
  }
}
