// `deno task bench export`: seconds that `el2 trace export` takes for a recording with some 200,000
// events, by format.

import { fileURLToPath } from "node:url";
import type { Contest } from "./ab.ts";
import { type Figure, printDocument } from "./documents.ts";
import { el2 } from "./machines.ts";
import { withSpread } from "./statistics.ts";

const GUESTS = fileURLToPath(new URL("../assets/guests/", import.meta.url));
/** Two guests that exchange 2,000 messages and rings per second. */
const CONFIGURATION = `el2 = 1
[vm.ping]
image = "${GUESTS}ping.bin"
memory = "4MiB"
cmdline = "balls=2000"
[vm.pong]
image = "${GUESTS}pong.bin"
memory = "4MiB"
[link]
m = { kind = "msgqueue-pair", label = 1, between = ["ping", "pong"], depth = 8, size = 64 }
b = { kind = "doorbell", label = 2, from = "ping", to = "pong" }
`;
/** Virtual time in which they make more than 200,000 events. */
const TIME = "1400ms";
const LEAST_EVENTS = 200_000;
const ENDINGS = [".pftrace", ".json", ".ndjson", ".pcapng"];
/** Seconds. */
const MOST = 10;

/** Prints seconds by format, as text or as one JSON object. */
export async function benchExport(rounds: number, json: boolean): Promise<void> {
  const figures = new Map<string, number[]>();
  for (let round = 0; round < rounds; round++) {
    for (const [name, seconds] of await measure()) figures.set(name, [...figures.get(name) ?? [], seconds]);
  }
  if (json) {
    const table = [...figures].map(([what, values]): Figure => ({ what, unit: "s", values, most: MOST }));
    return printDocument({ schema: "el2.bench.export/1", rounds, table, seconds: Object.fromEntries(figures) });
  }
  console.log(`seconds: median (least-greatest) of ${rounds}`);
  for (const [name, values] of figures) console.log(`${name.padEnd(10)} ${withSpread(values, 1)}`);
}

/** For `--ab`: the same figures. */
export const exportContest: Contest = () => Promise.resolve(measure);

async function measure(): Promise<Map<string, number>> {
  const folder = await Deno.makeTempDir({ prefix: "el2-bench-" });
  try {
    const configuration = `${folder}/busy.toml`, recording = `${folder}/busy.rec`;
    await Deno.writeTextFile(configuration, CONFIGURATION);
    const consent = ["--allow-host", "all"];
    await run(el2("run", configuration, "--headless", "--turbo", "--for", TIME, "--record", recording, ...consent));
    const figures = new Map<string, number>();
    for (const ending of ENDINGS) {
      const began = performance.now();
      const said = await run(el2("trace", "export", `${folder}/trace${ending}`, "--recording", recording, ...consent));
      figures.set(ending, (performance.now() - began) / 1000);
      const events = Number(/(\d+) events/.exec(said)?.[1] ?? Infinity);
      if (events < LEAST_EVENTS) throw new Error(`${events} events`);
    }
    return figures;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Runs a command, and returns what it has said. */
async function run([program, ...args]: readonly string[]): Promise<string> {
  const { success, stderr } = await new Deno.Command(program, { args, stdout: "null", stderr: "piped" }).output();
  const said = new TextDecoder().decode(stderr);
  if (!success) throw new Error(said);
  return said;
}
