// `deno task bench dist`: how long the one file takes to say its version, warm: unpacked before, and read from disk.

import { VERSION } from "../src/workstation/version.ts";
import { median } from "./statistics.ts";

const PROGRAM = new URL(`../dist/el2-${VERSION}-${Deno.build.target}`, import.meta.url).pathname;
/** Starts in a round. */
const STARTS = 10;

/** Prints the median of all starts, seconds. Builds the file where it is not there. */
export async function benchDist(rounds: number, json: boolean): Promise<void> {
  await run(Deno.execPath(), "task", "-q", "dist");
  const home = await Deno.makeTempDir({ prefix: "el2-bench-" });
  try {
    const times: number[] = [];
    for (let start = -1; start < rounds * STARTS; start++) {
      const began = performance.now();
      await run("/usr/bin/env", "-i", `HOME=${home}`, "PATH=/usr/bin:/bin", PROGRAM, "--version");
      // The first one unpacks.
      if (start >= 0) times.push((performance.now() - began) / 1000);
    }
    const result = { starts: times.length, version_seconds: median(times), version_seconds_longest: Math.max(...times) };
    if (json) return console.log(JSON.stringify(result));
    for (const [name, value] of Object.entries(result)) console.log(`${name.padEnd(36)} ${value.toFixed(3)}`);
  } finally {
    await Deno.remove(home, { recursive: true });
  }
}

async function run(program: string, ...args: string[]): Promise<void> {
  const { code } = await new Deno.Command(program, { args, stdin: "null", stdout: "null", stderr: "inherit" }).output();
  if (code !== 0) throw new Error(`${program} ${args.join(" ")}: exit code ${code}`);
}
