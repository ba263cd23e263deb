// The two machines that benches compare, as command lines, and a stopwatch for what they print.

import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { nativeProgram } from "../scripts/native-tools.ts";
import { newestQemuSystem } from "../scripts/newest-qemu.ts";
import type { RootGuest } from "./root-guests.ts";
import { WORKER_OPTIONS } from "../src/session/worker/rights/worker-rights.ts";
import type { Tier } from "../src/cpu/core/tiers.ts";
import { threadTimes } from "./thread-times.ts";

/** A machine to measure. */
export const MACHINES = ["el2", "qemu"] as const;

/** One of `MACHINES`. */
export type Machine = typeof MACHINES[number];

/** The guest to boot. */
export interface Guest {
  /** arm64 ELF or Image. */
  kernel?: string;
  /** A root VM in el2 instead of the Resource Manager. */
  root?: RootGuest;
  initrd?: string;
  /** Kernel command line. */
  append?: string;
  /** RAM in MiB. */
  memory: number;
  /** vCPUs; one by default. */
  cpus?: number;
  /** Their CPU in el2, by name; by default that of `--cpu`. */
  cpu?: string;
  /** Their CPU in QEMU's newest version, beside CPUs with features; by default as `cpu`. */
  qemuCpu?: QemuCpu;
  /** The execution engine of el2; by default that of `el2 boot`. */
  tier?: Tier;
  /** Lines at which CPU time is read. */
  stamps?: RegExp;
  /** el2's cache folder, an existing one; by default the user's. */
  cache?: string;
  /** A signal that ends a run at its last line; by default SIGKILL. */
  endBy?: Deno.Signal;
  /** el2 says at its end what its core did: `Run.core`. Not with builds that cannot. */
  stats?: boolean;
}

/** Counters of el2's core in a run. */
export interface CoreStats {
  /** Instructions of all guests. */
  instructions: number;
  /** Counts, bytes and host milliseconds of the translator; nothing in tier `interp`. */
  translator?: Record<string, number>;
}

const TREE = fileURLToPath(new URL("..", import.meta.url));

/**
 * The CPU with all features, whose pointers are signed by a hash of QEMU's own, or by Arm's cipher,
 * which takes most of a boot. `max` alone is the former since QEMU 10; it was the latter before.
 */
export const QEMU_CPUS = ["max,pauth-impdef=on", "max,pauth-qarma5=on"] as const;

/** One of `QEMU_CPUS`. */
export type QemuCpu = typeof QEMU_CPUS[number];

/** Which el2 runs where a guest does not say: another build, another tier, another CPU. */
const preferred: { tree: string; tier: Tier | undefined; cpu: string | undefined } = { tree: TREE, tier: undefined, cpu: undefined };

/** Makes this tier, where given, and the build in this folder the el2 of all benches. */
export function prefer(tier: Tier | undefined, tree: string = TREE): void {
  Object.assign(preferred, { tier, tree });
}

/** Gives this CPU to the guests of el2, and the first of `QEMU_CPUS` to those of QEMU. */
export function preferCpu(cpu: string): void {
  preferred.cpu = cpu;
}

/**
 * QEMU with its vCPUs in one thread, its console on standard output, and no device that is not
 * asked for.
 */
export async function qemu(memory: number, cpus = 1, cpu?: QemuCpu): Promise<string[]> {
  const program = cpu ? await newestQemuSystem() : [await nativeProgram("qemu-system-aarch64")];
  const platform = ["-M", "virt,gic-version=3", "-cpu", cpu ?? "cortex-a57", "-accel", "tcg,thread=single"];
  return [...program, ...platform, "-smp", `${cpus}`, "-m", `${memory}`, "-nographic", "-no-reboot"];
}

/** The folder of the build that is measured. */
export function preferredTree(): string {
  return preferred.tree;
}

/** The tier that is measured, where one was asked for. */
export function preferredTier(): Tier | undefined {
  return preferred.tier;
}

/**
 * Fetches QEMU, the cross compiler and the guests of these releases where they are missing, and
 * prepares this build.
 */
export async function setUp(releases: readonly string[]): Promise<void> {
  await runTask(TREE, "setup", ...releases);
}

/** Prepares a build as its `deno task install` does: benches measure what users run. */
export async function prepareTree(tree: string): Promise<void> {
  if ("prepare" in tasksOf(tree)) await runTask(tree, "prepare");
}

async function runTask(tree: string, ...words: string[]): Promise<void> {
  const command = new Deno.Command(Deno.execPath(), { args: ["task", "-q", ...words], cwd: tree, stdin: "null" });
  if (!(await command.spawn().status).success) throw new Error(`deno task ${words.join(" ")} in ${tree} failed`);
}

/** The command that runs el2 of the build that is measured. */
export const el2 = (...words: string[]): string[] => el2Module("main.ts", ...words);

/**
 * The command that runs a module with el2's permissions and settings of that build: one of the
 * build, or any by its whole path.
 */
export function el2Module(module: string, ...words: string[]): string[] {
  // The permissions of the task `el2`, but for what a bench never needs.
  const { tree } = preferred;
  const rights = ["--allow-read", "--allow-write", "--allow-env", "--allow-ffi", ...WORKER_OPTIONS];
  const { environment, options } = memorySettings(tree);
  const lock = `${tree}/deno.lock`;
  const run = [
    Deno.execPath(),
    "run",
    "--config",
    `${tree}/deno.json`,
    "--lock",
    lock,
    ...rights,
    ...options,
    resolve(tree, module),
    ...words,
  ];
  return environment.length ? ["env", ...environment, ...run] : run;
}

/** Options and environment for memory of a build. */
interface MemorySettings {
  readonly environment: readonly string[];
  readonly options: readonly string[];
}

const settings = new Map<string, MemorySettings>();

/** Those of a build's task: those of builds differ. Asking a build for them takes a process. */
function memorySettings(tree: string): MemorySettings {
  const known = settings.get(tree) ?? readSettings(tree);
  settings.set(tree, known);
  return known;
}

function readSettings(tree: string): MemorySettings {
  const { el2 } = tasksOf(tree), words = (typeof el2 === "string" ? el2 : el2.command).split(" ");
  if (words.includes("scripts/start.ts")) {
    const { stdout } = new Deno.Command(Deno.execPath(), { args: ["run", "-q", "--allow-read", `${tree}/scripts/start.ts`, "--settings"] })
      .outputSync();
    const { environment, options }: { environment: Record<string, string>; options: string[] } = JSON.parse(
      new TextDecoder().decode(stdout),
    );
    return {
      environment: Object.entries(environment).map(([name, value]) => `${name}=${value}`),
      options: options.filter((word) => word.startsWith("--v8-flags=")),
    };
  }
  return {
    environment: words.slice(0, words.indexOf("deno")),
    options: words.filter((word) => word.startsWith("--v8-flags=")),
  };
}

function tasksOf(tree: string): Record<string, string | { command: string }> {
  return JSON.parse(Deno.readTextFileSync(`${tree}/deno.json`)).tasks;
}

/** The command that runs `guest` with its console on standard output. */
async function commandLine(machine: Machine, guest: Guest): Promise<string[]> {
  const initrd = guest.initrd ? ["initrd", guest.initrd] : [];
  const append = guest.append ? ["append", guest.append] : [];
  if (machine === "el2") {
    const options = [...initrd, ...append].map((word, index) => index % 2 === 0 ? `--${word}` : word);
    const tier = guest.tier ?? preferred.tier;
    const image = guest.kernel === undefined ? [] : [guest.kernel];
    const root = guest.root ? rootOptions(guest.root) : [];
    const cpu = guest.cpu ?? preferred.cpu;
    const cpus = [...guest.cpus === undefined ? [] : ["--cpus", `${guest.cpus}`], ...cpu === undefined ? [] : ["--cpu", cpu]];
    const tail = [...tier ? ["--tier", tier] : [], ...guest.stats ? ["--stats"] : [], ...cpus, "--memory", `${guest.memory}MiB`, "--stdio"];
    const command = el2("boot", ...image, ...root, ...options, ...tail);
    return guest.cache === undefined ? command : ["env", `EL2_CACHE=${guest.cache}`, ...command];
  }
  const options = [...initrd, ...append].map((word, index) => index % 2 === 0 ? `-${word}` : word);
  const kernel = guest.kernel === undefined ? [] : ["-kernel", guest.kernel];
  const cpu = guest.qemuCpu ?? (preferred.cpu === undefined ? undefined : QEMU_CPUS[0]);
  return [...await qemu(guest.memory, guest.cpus, cpu), ...kernel, ...options, "-nic", "none"];
}

/** Options of the root VM's images: an older el2 has its own, as the reference of its tree says. */
function rootOptions({ runtime, app }: RootGuest): string[] {
  const reference = Deno.readTextFileSync(`${preferred.tree}/docs/reference/commands.md`);
  if (reference.includes("--root-runtime")) return ["--root-runtime", runtime, "--root-app", app];
  return ["kind=image", `runtime=${runtime}`, `app=${app}`].flatMap((key) => ["--set", `rm.${key}`]);
}

/** A line of the console and when it was complete. */
export interface StampedLine {
  text: string;
  /** Milliseconds since the process was started. */
  at: number;
  /** CPU time of the process so far, at requested lines. */
  cpu?: CpuTime;
}

/** CPU time of a process in ms, by its threads. */
export interface CpuTime {
  /** el2's worker, in which its vCPUs run; nothing with other programs. */
  vcpus: number;
  /** V8's threads, which compile Wasm and TypeScript; nothing with other programs. */
  compiler: number;
  /** All threads. */
  all: number;
}

/** Result of a run. */
export interface Run {
  lines: StampedLine[];
  /** When the process was started: what `performance.now` said. */
  started: number;
  /** From the start of the process to its end. */
  milliseconds: number;
  /** See `peakOf`. */
  peakMemory: number | undefined;
  /** Where the guest asked for it. */
  core: CoreStats | undefined;
}

/**
 * Runs `guest` until a line matches `until`, or the machine ends by itself where there is no
 * `until`.
 * @throws Error with the end of the console when the line does not come within `timeout` seconds.
 */
export async function stopwatch(machine: Machine, guest: Guest, timeout: number, until?: RegExp): Promise<Run> {
  return await watch(machine, await commandLine(machine, guest), timeout, until, guest);
}

/** Runs a command line as `stopwatch` does a guest. @param name for messages */
export async function watch(
  name: string,
  [program, ...args]: readonly string[],
  timeout: number,
  until?: RegExp,
  { stamps, endBy = "SIGKILL" }: Pick<Guest, "stamps" | "endBy"> = {},
): Promise<Run> {
  const started = performance.now();
  const child = new Deno.Command(program, { args, stdin: "null", stdout: "piped", stderr: "piped" }).spawn();
  const complaint = new Response(child.stderr).text();
  const lines: StampedLine[] = [];
  let found = until === undefined;
  const timer = setTimeout(() => child.kill("SIGKILL"), timeout * 1000);
  let rest = "";
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    const at = performance.now() - started;
    const parts = (rest + text).split("\n");
    rest = parts.pop() ?? "";
    for (const part of parts) {
      const cpu = stamps?.test(part) ? { cpu: cpuTime(child.pid) } : {};
      lines.push({ text: part.replace(/\r$/, ""), at, ...cpu });
    }
    if (until && lines.some((line) => until.test(line.text))) {
      found = true;
      break;
    }
  }
  // A guest whose last line this was may be gone by now.
  const peakMemory = until && found ? await memoryWhileRunning(child.pid, "VmHWM") : undefined;
  if (until && found) child.kill(endBy);
  const { success } = await child.status;
  const milliseconds = performance.now() - started;
  clearTimeout(timer);
  if (!found || (!until && !success)) {
    const end = [...lines.slice(-10).map((line) => line.text), rest, (await complaint).trim()].join("\n");
    throw new Error(`${name} did not get there within ${timeout} s:\n${end}`);
  }
  return { lines, started, milliseconds, peakMemory, core: coreStats(await complaint) };
}

function cpuTime(pid: number): CpuTime {
  const time: CpuTime = { vcpus: 0, compiler: 0, all: 0 };
  for (const { name, milliseconds } of threadTimes(pid)) {
    time.all += milliseconds;
    if (name.startsWith("worker-")) time.vcpus += milliseconds;
    else if (name.startsWith("V8")) time.compiler += milliseconds;
  }
  return time;
}

/** Removes the compiled code from a cache folder of el2, which may have none. */
export async function forgetCode(cache: string): Promise<void> {
  try {
    await Deno.remove(`${cache}/code`, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** The line of `--stats` in what el2 wrote to stderr. */
function coreStats(text: string): CoreStats | undefined {
  const line = text.split("\n").find((line) => line.startsWith('{"schema":"el2.core/1"'));
  return line === undefined ? undefined : JSON.parse(line) as CoreStats;
}

/** Resident memory in MiB: a process's peak, what it is now, and the part of that from files. */
type MemoryField = "VmHWM" | "VmRSS" | "RssFile";

/**
 * Peak resident memory in MiB of a run that `until` cut off.
 * @throws Error if the machine had ended by itself
 */
export function peakOf({ peakMemory }: Run): number {
  if (peakMemory === undefined) throw new Error("the machine ended before its memory could be read");
  return peakMemory;
}

/** @throws Error if the process has ended */
export async function residentMemory(pid: number, field: MemoryField): Promise<number> {
  const memory = await memoryWhileRunning(pid, field);
  if (memory === undefined) throw new Error(`process ${pid} ended before its memory could be read`);
  return memory;
}

/**
 * The same; nothing of a process that has ended. Deno reads /proc only with all permissions, so
 * that another program has to.
 */
export async function memoryWhileRunning(pid: number, field: MemoryField): Promise<number | undefined> {
  const { stdout } = await new Deno.Command("grep", { args: [field, `/proc/${pid}/status`] }).output();
  const match = /:\s+(\d+) kB$/m.exec(new TextDecoder().decode(stdout));
  return match ? Number(match[1]) / 1024 : undefined;
}
