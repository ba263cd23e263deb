// `deno task bench dist`: how long the one file takes, warm: unpacked before, and read from disk.
// To say its version; to the first output of a guest that prints at once; and to run a machine
// whose guest ends at once, with the generated core in the cache and without, in turn.

import { fileURLToPath } from "node:url";
import { type Figure, printDocument } from "./documents.ts";
import { A64, imageOf, SYSTEM_OFF } from "../tests/app/cli/program.ts";
import { VERSION } from "../src/kit/support/version.ts";
import { printedContest } from "./ab.ts";
import { median } from "./statistics.ts";

const PROGRAM = fileURLToPath(new URL(`../dist/el2-${VERSION}-${Deno.build.target}`, import.meta.url));
/** The PL011 of a primary VM. */
const UART = 0x900_0000;
/** Starts of each kind in a round. */
const STARTS = 10;

/** Prints the medians of all starts, seconds. Builds the file. */
export async function benchDist(rounds: number, json: boolean): Promise<void> {
  await run(Deno.execPath(), "task", "-q", "dist", "--only", "file");
  const home = await Deno.makeTempDir({ prefix: "el2-bench-" });
  try {
    const image = `${home}/guest.bin`, core = `${home}/.cache/el2/core`;
    await Deno.writeFile(image, imageOf([...A64.loadW0(SYSTEM_OFF), A64.hvc]));
    const printing = `${home}/printing.bin`, print = [A64.loadX1High(UART >>> 16), A64.loadW2(0x21), A64.storeByte];
    await Deno.writeFile(printing, imageOf([...print, ...A64.loadW0(SYSTEM_OFF), A64.hvc]));
    const version = () => timed(home, "--version");
    const machine = () => timed(home, "boot", image, "--stdio");
    // The first of each unpacks, and leaves a core.
    for (const start of [version, machine]) await start();
    const versions: number[] = [], outputs: number[] = [], cached: number[] = [], generated: number[] = [];
    for (let start = 0; start < rounds * STARTS; start++) {
      versions.push(await version());
      outputs.push(await firstOutput(home, "boot", printing, "--stdio"));
      cached.push(await machine());
      await Deno.remove(core, { recursive: true });
      generated.push(await machine());
    }
    const result = {
      starts: versions.length,
      version_seconds: median(versions),
      version_seconds_longest: Math.max(...versions),
      first_output_seconds: median(outputs),
      first_output_seconds_longest: Math.max(...outputs),
      machine_seconds: median(cached),
      machine_seconds_core_generated: median(generated),
    };
    if (json) {
      const table: Figure[] = [
        { what: "`el2 --version` of the one file", unit: "s", values: versions, most: 0.06 },
        { what: "first output of a guest", unit: "s", values: outputs, most: 0.2 },
        { what: "a machine whose guest ends at once", unit: "s", values: cached },
        { what: "the same, core generated", unit: "s", values: generated },
      ];
      return printDocument({ schema: "el2.bench.dist/1", table, ...result });
    }
    for (const [name, value] of Object.entries(result)) console.log(`${name.padEnd(36)} ${value.toFixed(3)}`);
  } finally {
    await Deno.remove(home, { recursive: true });
  }
}

/** For `--ab`: seconds of each kind of start. */
export const distContest = printedContest("dist", secondsOf);

function secondsOf(result: Record<string, unknown>): Map<string, number> {
  return new Map(Object.entries(result).filter(([name]) => name.includes("seconds")).map(([name, value]) => [name, Number(value)]));
}

/** Seconds that the program takes. */
async function timed(home: string, ...args: string[]): Promise<number> {
  const began = performance.now();
  await run("/usr/bin/env", "-i", `HOME=${home}`, "PATH=/usr/bin:/bin", PROGRAM, ...args);
  return (performance.now() - began) / 1000;
}

/** Seconds until the program has written its first byte to stdout. */
async function firstOutput(home: string, ...args: string[]): Promise<number> {
  const began = performance.now();
  const child = new Deno.Command("/usr/bin/env", {
    args: ["-i", `HOME=${home}`, "PATH=/usr/bin:/bin", PROGRAM, ...args],
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  let seconds: number | undefined;
  for await (const _ of child.stdout) seconds ??= (performance.now() - began) / 1000;
  await child.status;
  if (seconds === undefined) throw new Error(`${PROGRAM} ${args.join(" ")} wrote nothing`);
  return seconds;
}

async function run(program: string, ...args: string[]): Promise<void> {
  const { code, stderr } = await new Deno.Command(program, { args, stdin: "null", stdout: "null", stderr: "piped" }).output();
  if (code !== 0) throw new Error(`${program} ${args.join(" ")}: exit code ${code}\n${new TextDecoder().decode(stderr)}`);
}
