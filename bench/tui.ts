// `deno task bench tui`: what the TUI costs a busy machine, beside the same machine without a
// screen, in interleaved rounds: process CPU, guest instructions per CPU second; bytes a frame at
// three sizes, and 0 bytes when nothing changes; what screens cost a machine at rest; then what a
// person waits for
// (docs/design/workstation.md §7).

import { type Figure, printDocument } from "./documents.ts";
import { setTimeout as sleep } from "node:timers/promises";
import { cpuUsage } from "node:process";
import { busyPlan, CountingTerminal, openSession, showOn } from "./busy-demo.ts";
import { median, percentile } from "./statistics.ts";
import { type FrameBytes, measureBytes } from "./tui-bytes.ts";
import { type Held, measureFirstFrame, measureKeys, measureLink, measureStart } from "./tui-latency.ts";
import { type IdleCost, measureIdle } from "./tui-idle.ts";
import { MACHINES_PER_TURN, measureTurns } from "./tui-turns.ts";

/** Wall time before and of a measurement, ms. */
const WARM_UP = 1500;
const MEASURED = 3000;
/**
 * Pairs of turns, with a screen and without, of each machine: one that sleeps most of the time
 * needs many, one that computes few.
 */
const PAIRS_OF_TURNS = 10;
const PAIRS_OF_TURNS_COMPUTING = 2;

/** A guest that computes for ever: it adds, mixes and branches. */
const COMPUTING = Uint32Array.of(0x9100_0400, 0xca00_0021, 0x17ff_fffe);

/** One measurement. */
interface Round {
  /** Of one core, 0..1 and more. */
  readonly cpu: number;
  /** Exits of guests to the hypervisor, a second: each is an event or more. */
  readonly exits: number;
}

async function measure(withTui: boolean): Promise<Round> {
  const { client, hub, asker } = openSession();
  const terminal = new CountingTerminal();
  const shown = withTui ? showOn(terminal, hub.connect()) : undefined;
  const look = async () => {
    const { rows } = await asker.ask({ table: "vcpu.ls", args: {} });
    const exits = rows.reduce((sum, row) => sum + Number(row.exits), 0);
    return { exits, wall: performance.now() };
  };
  client.send({ kind: "start", plan: await busyPlan() });
  await sleep(WARM_UP);
  const before = await look();
  const cpu = cpuUsage();
  await sleep(MEASURED);
  const used = cpuUsage(cpu);
  const after = await look();
  const wall = (after.wall - before.wall) / 1000;
  const round = {
    cpu: (used.user + used.system) / 1e6 / wall,
    exits: (after.exits - before.exits) / wall,
  };
  terminal.end();
  await shown;
  hub.close();
  return round;
}

/** A slow link, bytes per second, and the time for which it is measured, ms. */
const SLOW_LINK = 50_000;
const SLOW_TIME = 3000;

/** The busy machine behind a slow link. */
async function measureSlowLink(): Promise<Held> {
  const plan = await busyPlan();
  const { client, hub } = openSession();
  const held = await measureLink(hub.connect(), () => client.send({ kind: "start", plan }), SLOW_LINK, SLOW_TIME);
  hub.close();
  return held;
}

/** A figure of each size, as the median of the rounds. */
function bytesOf(rounds: readonly FrameBytes[][], name: string, value: (one: FrameBytes) => number): Record<string, number> {
  return Object.fromEntries(
    rounds[0].map(({ columns, rows }, size) => [`${name}_${columns}x${rows}`, median(rounds.map((round) => value(round[size])))]),
  );
}

/** The values between which the middle half of all lies. */
function quartiles(values: readonly number[]): readonly [number, number] {
  return [percentile(values, 0.25), percentile(values, 0.75)];
}

/** Prints the medians of interleaved rounds. */
export async function benchTui(rounds: number, json: boolean): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "el2-bench-" });
  const image = `${folder}/computing.bin`;
  await Deno.writeFile(image, new Uint8Array(COMPUTING.buffer));
  const bare: Round[] = [],
    tui: Round[] = [],
    ratios: number[] = [],
    ratiosComputing: number[] = [],
    links: Held[] = [],
    starts: number[] = [],
    firsts: number[] = [],
    bytes: FrameBytes[][] = [],
    idle: IdleCost[] = [],
    keys: number[] = [];
  await measureStart(); // the first read from disk is not a warm start
  for (let round = 0; round < rounds; round++) {
    bare.push(await measure(false));
    tui.push(await measure(true));
    ratios.push(...await measureTurns(PAIRS_OF_TURNS));
    ratiosComputing.push(...await measureTurns(PAIRS_OF_TURNS_COMPUTING, image));
    links.push(await measureSlowLink());
    bytes.push(await measureBytes(image));
    idle.push(await measureIdle());
    starts.push(await measureStart());
    firsts.push(await measureFirstFrame());
    keys.push(...await measureKeys());
  }
  await Deno.remove(folder, { recursive: true });
  const of = (all: readonly Round[], name: keyof Round) => median(all.map((one) => one[name]));
  const result = {
    rounds,
    cpu_points_over_headless: (of(tui, "cpu") - of(bare, "cpu")) * 100,
    cpu_headless: of(bare, "cpu") * 100,
    exits_per_second: of(tui, "exits"),
    machines_per_turn: MACHINES_PER_TURN,
    instructions_per_worker_second_ratio: median(ratios),
    instructions_per_worker_second_quartiles: quartiles(ratios),
    instructions_per_worker_second_ratio_computing: median(ratiosComputing),
    instructions_per_worker_second_quartiles_computing: quartiles(ratiosComputing),
    ...bytesOf(bytes, "bytes_per_frame", ({ bytesPerFrame }) => bytesPerFrame),
    ...bytesOf(bytes, "bytes_per_written_frame", ({ bytesPerWrittenFrame }) => bytesPerWrittenFrame),
    idle_cpu_scheduler: median(idle.map((one) => one[8])) * 100,
    idle_cpu_events: median(idle.map((one) => one[9])) * 100,
    paused_bytes: Math.max(...bytes.flat().map(({ paused }) => paused)),
    first_frame_seconds: median(firsts),
    key_to_frame_p50_ms: percentile(keys, 0.5),
    key_to_frame_p99_ms: percentile(keys, 0.99),
    slow_link_longest_key_ms: median(links.map((one) => one.keys)),
    slow_link_longest_machine_ms: median(links.map((one) => one.machine)),
    start_to_answer_seconds: median(starts),
  };
  if (json) {
    const table: Figure[] = [
      { what: "CPU above a session without a screen", unit: "points of a CPU", values: [result.cpu_points_over_headless], most: 5 },
      { what: "guest instructions per CPU second, with and without a screen", unit: "share", values: ratios, least: 0.95 },
      { what: "CPU of the demo at rest, while 8 is shown", unit: "points of a CPU", values: idle.map((one) => one[8] * 100), most: 5 },
      { what: "CPU of the demo at rest, while 9 is shown", unit: "points of a CPU", values: idle.map((one) => one[9] * 100), most: 5 },
      { what: "key to frame, p99", unit: "ms", values: [result.key_to_frame_p99_ms], most: 30 },
      { what: "first frame", unit: "s", values: firsts, most: 0.5 },
    ];
    return printDocument({ schema: "el2.bench.tui/1", table, ...result });
  }
  for (const [name, value] of Object.entries(result)) {
    console.log(`${name.padEnd(50)} ${[value].flat().map((one) => one.toFixed(2)).join(" to ")}`);
  }
}
