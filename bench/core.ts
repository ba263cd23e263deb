// `deno task bench core`: 18 bare-metal kernels on el2 and on QEMU in turn. Start-up is outside of what is measured:
// the guest says when a kernel begins and ends, and the host takes the time.

import { nativeProgram } from "../scripts/native-tools.ts";
import { type Machine, MACHINES, stopwatch } from "./machines.ts";
import { geometricMean, median, withSpread } from "./statistics.ts";

/** The nine kernels that the bar of the integer core is set for. */
export const CORE_KERNELS = ["matrix", "list", "state", "crc", "sha", "memcpy", "interp", "fib", "hash"] as const;

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
async function buildGuest(folder: string): Promise<string> {
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

/** Milliseconds and checksum of each kernel, in order. */
async function measure(machine: Machine, kernel: string): Promise<Map<string, { milliseconds: number; checksum: string }>> {
  const { lines } = await stopwatch(machine, { kernel, memory: MEMORY }, TIMEOUT);
  const begun = new Map<string, number>();
  const results = new Map<string, { milliseconds: number; checksum: string }>();
  for (const { text, at } of lines) {
    const [word, name, checksum] = text.split(" ");
    if (word === "begin") begun.set(name, at);
    const start = begun.get(name);
    if (word === "end" && start !== undefined) results.set(name, { milliseconds: at - start, checksum });
  }
  return results;
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
    const results = new Map<string, KernelResult>();
    for (let round = 0; round < rounds; round++) {
      const times = { el2: await measure("el2", kernel), qemu: await measure("qemu", kernel) } satisfies Record<Machine, unknown>;
      for (const [name, qemu] of times.qemu) {
        const el2 = times.el2.get(name);
        if (!el2) throw new Error(`el2 did not run kernel ${name}`);
        if (el2.checksum !== qemu.checksum) throw new Error(`${name}: el2 computes ${el2.checksum}, QEMU ${qemu.checksum}`);
        const result = results.get(name) ?? { name, el2: [], qemu: [], ratios: [] };
        result.el2.push(el2.milliseconds);
        result.qemu.push(qemu.milliseconds);
        result.ratios.push(qemu.milliseconds / el2.milliseconds);
        results.set(name, result);
      }
    }
    report([...results.values()], rounds, json);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function report(results: KernelResult[], rounds: number, json: boolean): void {
  // A geomean a round, so that it has a spread of its own.
  const overall = (chosen: KernelResult[]) =>
    Array.from({ length: rounds }, (_, round) => geometricMean(chosen.map(({ ratios }) => ratios[round])));
  const core = overall(results.filter(({ name }) => (CORE_KERNELS as readonly string[]).includes(name)));
  const all = overall(results);
  const worst = results.toSorted((a, b) => median(a.ratios) - median(b.ratios))[0];
  if (json) {
    console.log(
      JSON.stringify({
        schema: "el2.bench.core/1",
        rounds,
        machines: MACHINES,
        kernels: results,
        core9: core,
        all18: all,
        worst: worst.name,
      }),
    );
    return;
  }
  console.log(`kernel    el2 ms  QEMU ms  QEMU time / el2 time: median (least-greatest) of ${rounds}`);
  for (const { name, el2, qemu, ratios } of results) {
    console.log(`${name.padEnd(8)} ${median(el2).toFixed(0).padStart(7)} ${median(qemu).toFixed(0).padStart(8)}  ${withSpread(ratios)}`);
  }
  console.log(`geomean of the 9 core kernels  ${withSpread(core)}`);
  console.log(`geomean of all ${results.length}             ${withSpread(all)}`);
  console.log(`worst                          ${withSpread(worst.ratios)} ${worst.name}`);
}
