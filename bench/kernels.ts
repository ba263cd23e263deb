// Bare-metal kernels on el2 and on QEMU in turn. Start-up is outside of what is measured: the guest
// says when a kernel begins and ends, and the host takes the time.

import { fileURLToPath } from "node:url";
import { nativeProgram } from "../scripts/native-tools.ts";
import { printCore } from "./core-stats.ts";
import { type CoreStats, type Guest, type Machine, stopwatch } from "./machines.ts";
import { type Rounds, trustedRounds } from "./rounds.ts";
import { median, withSpread } from "./statistics.ts";

const SOURCES = fileURLToPath(new URL("guest", import.meta.url));
/** Seconds that one run of all kernels may take. */
const TIMEOUT = 300;
/** MiB. */
const MEMORY = 128;

const COMPILE = [
  ["-std=gnu17", "-O2", "-Wall", "-Wextra", "-Werror", "-ffreestanding", "-fno-pic", "-fno-pie", "-fno-stack-protector"],
  ["-fno-tree-loop-distribute-patterns", "-fno-asynchronous-unwind-tables", "-march=armv8-a", "-mno-outline-atomics"],
].flat();

/** The sets of kernels: sources of the guest, and what their compilation needs beside `COMPILE`. */
const SETS = {
  core: {
    "start.S": [],
    "main.c": ["-mgeneral-regs-only"],
    "core.c": ["-mgeneral-regs-only"],
    "more.c": ["-mgeneral-regs-only"],
    // Only what is written as vectors is vectors, so that fpmm stays scalar.
    "vector.c": ["-fno-tree-vectorize"],
  },
  code: {
    "start.S": [],
    "main.c": ["-mgeneral-regs-only", "-DKERNELS=CHANGING_KERNELS"],
    "changing.c": ["-mgeneral-regs-only", "-DKERNELS=CHANGING_KERNELS"],
  },
} as const satisfies Record<string, Record<string, readonly string[]>>;

/**
 * Builds the guest with a set of kernels into `folder` and returns the path of its ELF.
 * @param more options of the compiler
 */
export async function buildGuest(set: keyof typeof SETS, folder: string, more: readonly string[] = []): Promise<string> {
  const compiler = await nativeProgram("aarch64-linux-gnu-gcc");
  const compile = async (args: string[]) => {
    const { success, stderr } = await new Deno.Command(compiler, { args, cwd: SOURCES }).output();
    if (!success) throw new Error(`building the bench's guest failed:\n${new TextDecoder().decode(stderr)}`);
  };
  const objects: string[] = [];
  for (const [source, flags] of Object.entries<readonly string[]>(SETS[set])) {
    const object = `${folder}/${source}.o`;
    await compile([...COMPILE, ...more, ...flags, "-c", source, "-o", object]);
    objects.push(object);
  }
  const elf = `${folder}/kernels.elf`;
  await compile(["-nostdlib", "-static", "-no-pie", "-Wl,--build-id=none,--no-warn-rwx-segments", "-T", "link.ld", ...objects, "-o", elf]);
  return elf;
}

/** Milliseconds and checksum of a kernel. */
interface Kernel {
  milliseconds: number;
  checksum: string;
}

/** A run of all kernels, in order. */
export interface Measurement {
  kernels: Map<string, Kernel>;
  /** The whole process. */
  milliseconds: number;
  core: CoreStats | undefined;
}

/** Runs all kernels on a machine; `stats` asks el2 what its core did. */
export async function measure(
  machine: Machine,
  kernel: string,
  stats: boolean,
  cpus: Pick<Guest, "cpu" | "qemuCpu"> = {},
): Promise<Measurement> {
  const { lines, milliseconds, core } = await stopwatch(machine, { kernel, memory: MEMORY, stats, ...cpus }, TIMEOUT);
  const begun = new Map<string, number>();
  const kernels = new Map<string, Kernel>();
  for (const { text, at } of lines) {
    const [word, name, checksum] = text.split(" ");
    if (word === "begin") begun.set(name, at);
    const start = begun.get(name);
    if (word === "end" && start !== undefined) kernels.set(name, { milliseconds: at - start, checksum });
  }
  return { kernels, milliseconds, core };
}

/** Milliseconds of each kernel. */
export function timesOf(kernels: ReadonlyMap<string, { readonly milliseconds: number }>): Map<string, number> {
  return new Map([...kernels].map(([name, { milliseconds }]) => [name, milliseconds]));
}

/** Result of one kernel over all rounds. */
export interface KernelResult {
  name: string;
  el2: number[];
  qemu: number[];
  /** QEMU's time over el2's, a round: 1 is as fast as QEMU. */
  ratios: number[];
}

/** Times of a set of kernels. */
export interface KernelRounds extends Rounds<Record<Machine, Measurement>> {
  readonly kernels: readonly KernelResult[];
}

/** Runs a set of kernels in rounds. @throws Error if a checksum is not QEMU's */
export async function measureKernels(set: keyof typeof SETS, rounds: number): Promise<KernelRounds> {
  const folder = await Deno.makeTempDir({ prefix: "el2-bench-" });
  try {
    const kernel = await buildGuest(set, folder);
    const trusted = await trustedRounds(rounds, async () => {
      const round = { el2: await measure("el2", kernel, true), qemu: await measure("qemu", kernel, false) };
      for (const [name, { checksum }] of round.qemu.kernels) {
        const ours = round.el2.kernels.get(name)?.checksum;
        if (ours !== checksum) throw new Error(`${name}: el2 computes ${ours}, QEMU ${checksum}`);
      }
      return round;
    });
    const { results } = trusted;
    const kernels = [...results[0].qemu.kernels.keys()].map((name): KernelResult => {
      const times = (machine: Machine) => results.map((round) => round[machine].kernels.get(name)!.milliseconds);
      const el2 = times("el2"), qemu = times("qemu");
      return { name, el2, qemu, ratios: qemu.map((time, round) => time / el2[round]) };
    });
    return { ...trusted, kernels };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** A line a kernel, with its times and their ratio. */
export function printKernels({ kernels, results }: KernelRounds): void {
  console.log(`kernel    el2 ms  QEMU ms  QEMU time / el2 time: median (least-greatest) of ${results.length}, checksums equal`);
  for (const { name, el2, qemu, ratios } of kernels) {
    console.log(`${name.padEnd(8)} ${median(el2).toFixed(0).padStart(7)} ${median(qemu).toFixed(0).padStart(8)}  ${withSpread(ratios)}`);
  }
}

/** How far the rounds can be trusted, and what el2's core did in the last of them. */
export function printRounds({ results, repeated, doubtful }: KernelRounds): void {
  const { core, milliseconds } = results[results.length - 1].el2;
  console.log(`${repeated} rounds repeated, ${doubtful} doubtful`);
  printCore(core, milliseconds);
}
