// `deno task bench core`: 18 bare-metal kernels on el2 and on QEMU in turn. Start-up is outside of what is measured:
// the guest says when a kernel begins and ends, and the host takes the time.

import { nativeProgram } from "../scripts/native-tools.ts";
import { type CoreStats, type Machine, MACHINES, stopwatch } from "./machines.ts";
import { type Rounds, trustedRounds } from "./rounds.ts";
import { geometricMean, median, withSpread } from "./statistics.ts";

/** The nine kernels that the bar of the integer core is set for. */
export const CORE_KERNELS = ["matrix", "list", "state", "crc", "sha", "memcpy", "interp", "fib", "hash"] as const;

/** Those of AdvSIMD and floating point. */
const VECTOR_KERNELS = ["ncpy", "nxor", "narx", "fpmm"] as const;

const SOURCES = new URL("guest", import.meta.url).pathname;
/** Seconds that one run of all kernels may take. */
const TIMEOUT = 300;
/** MiB. */
const MEMORY = 128;

const COMPILE = [
  ["-std=gnu17", "-O2", "-Wall", "-Wextra", "-Werror", "-ffreestanding", "-fno-pic", "-fno-pie", "-fno-stack-protector"],
  ["-fno-tree-loop-distribute-patterns", "-fno-asynchronous-unwind-tables", "-march=armv8-a", "-mno-outline-atomics"],
].flat();

/** Objects of the guest and what their compilation needs beside `COMPILE`. */
const OBJECTS: Record<string, string[]> = {
  "start.S": [],
  "main.c": ["-mgeneral-regs-only"],
  "core.c": ["-mgeneral-regs-only"],
  "more.c": ["-mgeneral-regs-only"],
  // Only what is written as vectors is vectors, so that fpmm stays scalar.
  "vector.c": ["-fno-tree-vectorize"],
};

/** Builds the guest into `folder` and returns the path of its ELF. */
export async function buildGuest(folder: string): Promise<string> {
  const compiler = await nativeProgram("aarch64-linux-gnu-gcc");
  const compile = async (args: string[]) => {
    const { success, stderr } = await new Deno.Command(compiler, { args, cwd: SOURCES }).output();
    if (!success) throw new Error(`building the bench's guest failed:\n${new TextDecoder().decode(stderr)}`);
  };
  const objects: string[] = [];
  for (const [source, flags] of Object.entries(OBJECTS)) {
    const object = `${folder}/${source}.o`;
    await compile([...COMPILE, ...flags, "-c", source, "-o", object]);
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
export async function measure(machine: Machine, kernel: string, stats: boolean): Promise<Measurement> {
  const { lines, milliseconds, core } = await stopwatch(machine, { kernel, memory: MEMORY, stats }, TIMEOUT);
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

/** Result of one kernel over all rounds. */
interface KernelResult {
  name: string;
  el2: number[];
  qemu: number[];
  /** QEMU's time over el2's, a round: 1 is as fast as QEMU. */
  ratios: number[];
}

/** Runs the bench and prints it, as text or as one JSON object. */
export async function benchCore(rounds: number, json: boolean): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "el2-bench-" });
  try {
    const kernel = await buildGuest(folder);
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
    report(kernels, trusted, json);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function report(kernels: KernelResult[], { results, repeated, doubtful }: Rounds<Record<Machine, Measurement>>, json: boolean): void {
  const rounds = results.length;
  // A geomean a round, so that it has a spread of its own.
  const overall = (names?: readonly string[]) => {
    const chosen = kernels.filter(({ name }) => names?.includes(name) ?? true);
    return results.map((_, round) => geometricMean(chosen.map(({ ratios }) => ratios[round])));
  };
  const core9 = overall(CORE_KERNELS), vector4 = overall(VECTOR_KERNELS), all18 = overall();
  const worst = kernels.filter(({ name }) => (CORE_KERNELS as readonly string[]).includes(name))
    .toSorted((a, b) => median(a.ratios) - median(b.ratios))[0];
  const { core, milliseconds } = results[rounds - 1].el2;
  const mips = core && core.instructions / milliseconds / 1000;
  if (json) {
    const summary = { core9, vector4, all18, worst: worst.name, guest_mips: mips, core };
    console.log(JSON.stringify({ schema: "el2.bench.core/2", rounds, repeated, doubtful, machines: MACHINES, kernels, ...summary }));
    return;
  }
  console.log(`kernel    el2 ms  QEMU ms  QEMU time / el2 time: median (least-greatest) of ${rounds}, checksums equal`);
  for (const { name, el2, qemu, ratios } of kernels) {
    console.log(`${name.padEnd(8)} ${median(el2).toFixed(0).padStart(7)} ${median(qemu).toFixed(0).padStart(8)}  ${withSpread(ratios)}`);
  }
  console.log(`geomean of the 9 core kernels  ${withSpread(core9)}`);
  console.log(`geomean of the 4 vector ones   ${withSpread(vector4)}`);
  console.log(`geomean of all ${kernels.length}             ${withSpread(all18)}`);
  console.log(`worst of the core kernels      ${withSpread(worst.ratios)} ${worst.name}`);
  console.log(`${repeated} rounds repeated, ${doubtful} doubtful; whole process ${mips?.toFixed(0)} guest MIPS`);
  if (core?.translator) {
    console.log(`translator: ${Object.entries(core.translator).map(([what, n]) => `${what} ${Math.round(n)}`).join(", ")}`);
  }
}
