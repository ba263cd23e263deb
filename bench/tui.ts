// `deno task bench tui`: what the TUI costs a busy machine, beside the same machine without a screen, in interleaved rounds: process CPU,
// guest instructions per CPU second, bytes a frame, and 0 bytes when nothing changes; then what a person waits for (WORKSTATION section 7).

import { setTimeout as sleep } from "node:timers/promises";
import { cpuUsage } from "node:process";
import { runTui } from "../src/tui/run.ts";
import type { TerminalPort } from "../src/tui/terminal.ts";
import { median } from "./statistics.ts";
import { type Held, measureKeys, measureLink, measureStart, percentile } from "./tui-latency.ts";
import { connectEmbedded } from "../src/workstation/client.ts";
import { planText } from "../src/workstation/config/plan.ts";
import type { SessionPlan } from "../src/workstation/plan.ts";
import { Asker } from "../src/workstation/control/asker.ts";
import { SessionHub } from "../src/workstation/control/hub.ts";

/** Wall time before and of a measurement, ms. */
const WARM_UP = 1500;
const MEASURED = 3000;
/** Pairs of guests, and how many messages and rings they exchange a second: some 10,000 calls, traps and interrupts. */
const PAIRS = 2;
const BALLS = 200;

/** A guest that computes for ever: it adds, mixes and branches. */
const COMPUTING = Uint32Array.of(0x9100_0400, 0xca00_0021, 0x17ff_fffe);

/**
 * Pairs of guests that play ping-pong by queue and doorbell.
 * @param computing an image that computes, as one more VM: the machine is never idle then
 */
function configuration(computing: string | undefined): string {
  const vms: string[] = [], links: string[] = [];
  if (computing !== undefined) vms.push(`[vm.computing]\nimage = ${JSON.stringify(computing)}\nmemory = "4MiB"`);
  for (let pair = 0; pair < PAIRS; pair++) {
    vms.push(`[vm.ping${pair}]\nimage = "ping.bin"\nmemory = "4MiB"\ncmdline = "balls=${BALLS}"`);
    vms.push(`[vm.pong${pair}]\nimage = "pong.bin"\nmemory = "4MiB"`);
    links.push(`m${pair} = { kind = "msgqueue-pair", label = 1, between = ["ping${pair}", "pong${pair}"], depth = 8, size = 64 }`);
    links.push(`b${pair} = { kind = "doorbell", label = 2, from = "ping${pair}", to = "pong${pair}" }`);
  }
  return `el2 = 1\n[machine]\ncpus = 2\nmemory = "128MiB"\n[host]\nmemory = "64MiB"\n${vms.join("\n")}\n[link]\n${links.join("\n")}\n`;
}

/** A terminal that takes everything at once and counts it. */
class CountingTerminal implements TerminalPort {
  bytes = 0;
  frames = 0;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  readonly input = new ReadableStream<Uint8Array>({ start: (controller) => void (this.#controller = controller) });

  size() {
    return { columns: 160, rows: 48 };
  }
  write(bytes: Uint8Array): Promise<void> {
    this.bytes += bytes.length;
    this.frames++;
    return Promise.resolve();
  }
  setRaw(): void {}
  onResize(): () => void {
    return () => {};
  }
  end(): void {
    this.#controller?.close();
  }
}

/** One measurement. */
interface Round {
  /** Of one core, 0..1 and more. */
  readonly cpu: number;
  /** Millions of guest instructions a CPU second of the machine's worker. */
  readonly instructions: number;
  /** Exits of guests to the hypervisor, a second: each is an event or more. */
  readonly exits: number;
  readonly bytesPerFrame: number;
  readonly framesPerSecond: number;
  /** Bytes written in 1.5 s while the machine is paused. */
  readonly pausedBytes: number;
}

/** CPU time (s) of this process's workers that live, by thread. */
function workerTimes(): Map<string, number> {
  const times = new Map<string, number>();
  for (const { name } of Deno.readDirSync("/proc/self/task")) {
    const folder = `/proc/self/task/${name}`;
    if (Deno.readTextFileSync(`${folder}/comm`).startsWith("worker-")) {
      times.set(name, Number(Deno.readTextFileSync(`${folder}/schedstat`).split(" ")[0]) / 1e9);
    }
  }
  return times;
}

/** How much they have grown. */
function grown(before: ReadonlyMap<string, number>, after: ReadonlyMap<string, number>): number {
  return [...after].reduce((sum, [name, seconds]) => sum + seconds - (before.get(name) ?? 0), 0);
}

async function busyPlan(computing?: string): Promise<SessionPlan> {
  const planned = await planText(configuration(computing), undefined, new URL("../assets/guests", import.meta.url).pathname);
  if (!planned.ok) throw new Error(planned.errors.join("\n"));
  const { ui: _, ...machine } = planned.run;
  return { ...machine, duration: undefined, hashAt: [] };
}

async function measure(withTui: boolean, computing?: string): Promise<Round> {
  const plan = await busyPlan(computing);
  const client = connectEmbedded(new URL("../main.ts", import.meta.url));
  const hub = new SessionHub(client, { name: "bench", what: "bench", started: "", logs: undefined });
  const terminal = new CountingTerminal();
  const shown = withTui
    ? runTui(hub.connect(), terminal, { title: "bench", depth: "256", ascii: false, mouse: false, slowLink: false })
    : undefined;
  const listener = hub.join({ readOnly: true, follow: true, patient: false }, (event) => {
    if (event.kind === "answer") asker.take(event);
    else if (event.kind === "console") listener.send({ kind: "taken", bytes: event.bytes.length });
  });
  const asker = new Asker(listener);
  const look = async () => {
    const { at, rows } = await asker.ask({ table: "vcpu.ls", args: {} });
    const exits = rows.reduce((sum, row) => sum + Number(row.exits), 0);
    const { bytes, frames } = terminal;
    return { exits, instructions: Number(at.insn), workers: workerTimes(), bytes, frames, wall: performance.now() };
  };
  client.send({ kind: "start", plan });
  await sleep(WARM_UP);
  const before = await look();
  const cpu = cpuUsage();
  await sleep(MEASURED);
  const used = cpuUsage(cpu);
  const after = await look();
  const wall = (after.wall - before.wall) / 1000;
  const frames = after.frames - before.frames;
  const round = {
    cpu: (used.user + used.system) / 1e6 / wall,
    instructions: (after.instructions - before.instructions) / 1e6 / grown(before.workers, after.workers),
    exits: (after.exits - before.exits) / wall,
    bytesPerFrame: frames ? (after.bytes - before.bytes) / frames : 0,
    framesPerSecond: frames / wall,
  };
  let pausedBytes = 0;
  if (withTui) {
    client.send({ kind: "pause" });
    await sleep(1000);
    const paused = terminal.bytes;
    await sleep(1500);
    pausedBytes = terminal.bytes - paused;
  }
  terminal.end();
  await shown;
  hub.close();
  return { ...round, pausedBytes };
}

/** A slow link, bytes a second, and how long it is looked at, ms. */
const SLOW_LINK = 50_000;
const SLOW_TIME = 3000;

/** The busy machine behind a slow link. */
async function measureSlowLink(): Promise<Held> {
  const plan = await busyPlan();
  const client = connectEmbedded(new URL("../main.ts", import.meta.url));
  const hub = new SessionHub(client, { name: "bench", what: "bench", started: "", logs: undefined });
  const held = await measureLink(hub.connect(), () => client.send({ kind: "start", plan }), SLOW_LINK, SLOW_TIME);
  hub.close();
  return held;
}

/** Prints the medians of interleaved rounds. */
export async function benchTui(rounds: number, json: boolean): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "el2-bench-" });
  const image = `${folder}/computing.bin`;
  await Deno.writeFile(image, new Uint8Array(COMPUTING.buffer));
  const bare: Round[] = [],
    tui: Round[] = [],
    bareComputing: Round[] = [],
    tuiComputing: Round[] = [],
    links: Held[] = [],
    starts: number[] = [],
    keys: number[] = [];
  await measureStart(); // what is read from disk the first time is no warm start
  for (let round = 0; round < rounds; round++) {
    bare.push(await measure(false));
    tui.push(await measure(true));
    bareComputing.push(await measure(false, image));
    tuiComputing.push(await measure(true, image));
    links.push(await measureSlowLink());
    starts.push(await measureStart());
    keys.push(...await measureKeys());
  }
  await Deno.remove(folder, { recursive: true });
  const of = (all: readonly Round[], name: keyof Round) => median(all.map((one) => one[name]));
  const result = {
    rounds,
    cpu_points_over_headless: (of(tui, "cpu") - of(bare, "cpu")) * 100,
    cpu_headless: of(bare, "cpu") * 100,
    exits_per_second: of(tui, "exits"),
    instructions_per_worker_second_ratio: of(tui, "instructions") / of(bare, "instructions"),
    instructions_per_worker_second_ratio_computing: of(tuiComputing, "instructions") / of(bareComputing, "instructions"),
    bytes_per_frame: of(tui, "bytesPerFrame"),
    frames_per_second: of(tui, "framesPerSecond"),
    paused_bytes: Math.max(...tui.map(({ pausedBytes }) => pausedBytes)),
    key_to_frame_p50_ms: percentile(keys, 0.5),
    key_to_frame_p99_ms: percentile(keys, 0.99),
    slow_link_longest_key_ms: median(links.map((one) => one.keys)),
    slow_link_longest_machine_ms: median(links.map((one) => one.machine)),
    start_to_answer_seconds: median(starts),
  };
  if (json) return console.log(JSON.stringify(result));
  for (const [name, value] of Object.entries(result)) console.log(`${name.padEnd(36)} ${value.toFixed(2)}`);
  Deno.exit(0);
}
