// `deno task bench memory`: resident memory of el2 at the peak of a Debian boot, and in an idle
// session of the demo.

import { catalogEntry } from "../src/app/catalog/catalog.ts";
import type { Contest } from "./ab.ts";
import { bootGuest, READY } from "./boot.ts";
import { type Figure, printDocument } from "./documents.ts";
import { el2, peakOf, residentMemory, stopwatch } from "./machines.ts";
import { median, withSpread } from "./statistics.ts";

/** Seconds for a boot. */
const TIMEOUT = 300;
/** Seconds after which a session that nobody uses has settled, and between two checks of it. */
const SETTLED = 10, INTERVAL = 1;
/** Measures a session. */
const LOOKS = 5;

const IDLE_DEMO = "demo, idle session";

/** Prints both, as text or as one JSON object: MiB, by the name of what ran. */
export async function benchMemory(names: readonly string[], rounds: number, json: boolean): Promise<void> {
  const figures = new Map<string, number[]>();
  for (let round = 0; round < rounds; round++) {
    for (const [name, mebibytes] of await measure(names)) figures.set(name, [...figures.get(name) ?? [], mebibytes]);
  }
  if (json) {
    const table = [...figures].map(([what, values]): Figure => ({ what, unit: "MiB", values, most: what === IDLE_DEMO ? 110 : 300 }));
    return printDocument({ schema: "el2.bench.memory/1", rounds, table, mebibytes: Object.fromEntries(figures) });
  }
  console.log(`MiB resident: median (least-greatest) of ${rounds}`);
  for (const [name, values] of figures) console.log(`${name.padEnd(32)} ${withSpread(values, 0)}`);
}

/** For `--ab`: the same figures. */
export function memoryContest(names: readonly string[]): Contest {
  return () => Promise.resolve(() => measure(names));
}

async function measure(names: readonly string[]): Promise<Map<string, number>> {
  const figures = new Map<string, number>();
  for (const name of names) {
    const { folder } = await catalogEntry(name);
    figures.set(`${name}, peak of a boot`, peakOf(await stopwatch("el2", bootGuest(folder, 1), TIMEOUT, READY)));
  }
  figures.set(IDLE_DEMO, await idleDemo());
  return figures;
}

/** The demo without a screen, as long as it runs by itself. */
async function idleDemo(): Promise<number> {
  const [program, ...args] = el2("run", "demo", "--headless", "--for", "1h");
  const child = new Deno.Command(program, { args, stdin: "null", stdout: "null", stderr: "null" }).spawn();
  const pause = (seconds: number) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  try {
    await pause(SETTLED);
    const values: number[] = [];
    for (let look = 0; look < LOOKS; look++) {
      values.push(await residentMemory(child.pid, "VmRSS"));
      await pause(INTERVAL);
    }
    return median(values);
  } finally {
    child.kill("SIGKILL");
    await child.status;
  }
}
