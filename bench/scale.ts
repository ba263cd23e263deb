// `deno task bench scale`: CPU time and peak memory of the scenarios of docs/scale.md, each a whole
// `el2 test`, and what a core and a thousand do with them in an hour: the page's table.

import type { Contest } from "./ab.ts";
import { type Figure, printDocument } from "./documents.ts";
import { exists } from "../src/kit/support/files/cache.ts";
import { el2, memoryWhileRunning, preferredTree } from "./machines.ts";
import { median, withSpread } from "./statistics.ts";

/** Scenarios, from the root of the tree. */
const SCENARIOS: readonly string[] = ["examples/refused-lend.test.toml", "examples/demo.test.toml"];
/** One whose guest `examples/ci/build.sh` builds. */
const OF_BUILD = { scenario: "examples/ci/shout.test.toml", image: "examples/ci/build/Image" };
/** Measures the process from outside: its number first, its times of user and system last. */
const TIMED = '"$@" > /dev/null & echo $!; wait $! && times';
/** Milliseconds between two checks of memory, the last of which is all but the peak. */
const INTERVAL = 50;
const SECONDS_PER_HOUR = 3600;
const CORES = 1000;

/** One `el2 test`. */
interface Cost {
  /** CPU seconds of the whole process. */
  readonly seconds: number;
  /** Peak of its resident memory, MiB. */
  readonly memory: number;
}

/** Prints the table, as text or as one JSON object. */
export async function benchScale(rounds: number, json: boolean): Promise<void> {
  const costs = new Map<string, Cost[]>(), files = await runnable();
  for (let round = 0; round < rounds; round++) {
    for (const [file, cost] of await measure(files)) costs.set(file, [...costs.get(file) ?? [], cost]);
  }
  if (json) {
    const table = [...costs].flatMap(([file, costs]): Figure[] => [
      { what: `${file}, CPU time`, unit: "s", values: costs.map(({ seconds }) => seconds) },
      { what: `${file}, peak`, unit: "MiB", values: costs.map(({ memory }) => memory) },
    ]);
    return printDocument({ schema: "el2.bench.scale/1", rounds, table });
  }
  console.log(`median (least-greatest) of ${rounds}\n`);
  for (const [file, all] of costs) {
    const seconds = all.map(({ seconds }) => seconds), memory = all.map(({ memory }) => memory);
    const hour = Number((SECONDS_PER_HOUR / median(seconds)).toPrecision(2));
    console.log(
      `${file.padEnd(36)} ${withSpread(seconds)} s, ${withSpread(memory, 0)} MiB; in an hour ${hour}, on ${CORES} cores ${hour * CORES}`,
    );
  }
}

/** For `--ab`: CPU seconds and MiB of each scenario that needs no build. */
export const scaleContest: Contest = () =>
  Promise.resolve(async () => {
    const costs = await measure(SCENARIOS);
    return new Map(costs.flatMap(([file, { seconds, memory }]) => [[`${file}, s`, seconds], [`${file}, MiB`, memory]]));
  });

async function measure(files: readonly string[]): Promise<[string, Cost][]> {
  const costs: [string, Cost][] = [];
  for (const file of files) costs.push([file, await costOf(file)]);
  return costs;
}

/** The scenarios whose guests exist. */
async function runnable(): Promise<readonly string[]> {
  if (await exists(`${preferredTree()}/${OF_BUILD.image}`)) return [...SCENARIOS, OF_BUILD.scenario];
  console.error(`${OF_BUILD.scenario} is left out: examples/ci/build.sh has not been run`);
  return SCENARIOS;
}

async function costOf(file: string): Promise<Cost> {
  const args = ["-c", TIMED, "sh", ...el2("test", `${preferredTree()}/${file}`)];
  const shell = new Deno.Command("sh", { args, stdin: "null", stdout: "piped" }).spawn();
  let text = "", memory: number | undefined, ended = false;
  const watched = (async () => {
    while (!ended) {
      const pid = /^(\d+)\n/.exec(text)?.[1];
      if (pid !== undefined) memory = await memoryWhileRunning(Number(pid), "VmHWM") ?? memory;
      await new Promise((resolve) => setTimeout(resolve, INTERVAL));
    }
  })();
  for await (const chunk of shell.stdout.pipeThrough(new TextDecoderStream())) text += chunk;
  ended = true;
  await watched;
  const { code } = await shell.status;
  // `times` prints those of the shell, and then those of its children: 0m1.166s 0m0.513s.
  const children = /\n(\d+)m([\d.]+)s (\d+)m([\d.]+)s\n$/.exec(text)?.slice(1).map(Number);
  if (code !== 0 || !children || memory === undefined) throw new Error(`el2 test ${file}: exit code ${code}:\n${text}`);
  const [userMinutes, user, systemMinutes, system] = children;
  return { seconds: (userMinutes + systemMinutes) * 60 + user + system, memory };
}
