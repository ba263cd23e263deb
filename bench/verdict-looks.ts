// The cost of a look at the verdicts on a Debian: at its prompt, and with four CPUs whose programs
// work. As a program with a tree and a guest's folder it measures the el2 of that tree, and prints
// one JSON object: with `--ab` each side is measured by this script.

import process from "node:process";
import { fileURLToPath, pathToFileURL } from "node:url";
import type * as Assembly from "../src/session/assembly/assemble.ts";
import type { GuestSystem } from "../src/session/assembly/system/guest-system.ts";
import { catalogEntry } from "../src/app/catalog/catalog.ts";
import { el2Module, preferredTree } from "./machines.ts";
import { median } from "./statistics.ts";

/** Below `src`, the module that makes machines, in this tree and in older ones. */
const HOMES = ["session/assembly/assemble.ts", "assembly/assemble.ts"];
const MIB = 1 << 20;
/** Virtual time (ns) until Debian has its shell, until programs work, and between two looks. */
const BOOTED = 3e9, BEGUN = 5e8, APART = 1e7;
/** Looks of which the median counts, and those before them: of a screen in a minute. */
const LOOKS = 200, FIRST = 300;
const BUSY = "for i in 1 2 3 4; do while true; do ls -R / > /dev/null; done & done\n";

/** Machines, by the name of their figure: CPU milliseconds of a look. */
const LOOKED_AT = { "verdict at a prompt (CPU)": [1, ""], "verdict with 4 busy CPUs (CPU)": [4, BUSY] } as const;

/** CPU milliseconds of a look by the el2 of the preferred tree, by figure. */
export async function cpuOfLooks(): Promise<ReadonlyMap<string, number>> {
  const { folder } = await catalogEntry("debian"), tree = preferredTree();
  const [command, ...args] = el2Module(fileURLToPath(import.meta.url), tree, folder);
  const { success, stdout, stderr } = await new Deno.Command(command, { args, stdin: "null" }).output();
  if (!success) throw new Error(`looks of ${tree}: ${new TextDecoder().decode(stderr).slice(-2000)}`);
  return new Map(Object.entries(JSON.parse(new TextDecoder().decode(stdout)) as Record<string, number>));
}

/** CPU time of this process (ms). */
function computed(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e3;
}

function runTo({ machine }: GuestSystem, time: number): void {
  while (machine.time < time) {
    const result = machine.run(time, 1000);
    if (result.kind === "idle") machine.skipTo(Math.min(result.next, time));
    else if (result.kind === "stopped") throw new Error("Debian has ended");
  }
}

async function assemblyOf(tree: string): Promise<typeof Assembly> {
  for (const home of HOMES) {
    const path = `${tree}/src/${home}`;
    if (await Deno.stat(path).then(() => true, () => false)) return await import(pathToFileURL(path).href);
  }
  throw new Error(`${tree}: none of ${HOMES.join(", ")}`);
}

async function measure(tree: string, folder: string): Promise<Record<string, number>> {
  const { assemble } = await assemblyOf(tree), figures: Record<string, number> = {};
  const [image, initrd] = await Promise.all(["Image", "initrd"].map((name) => Deno.readFile(`${folder}/${name}`)));
  for (const [figure, [cpus, typed]] of Object.entries(LOOKED_AT)) {
    const what = { kind: "boot", image, initrd, dtb: undefined, append: "console=ttyAMA0" } as const;
    const system = assemble({ cpus, memory: 256 * MIB, turbo: true, seed: 1, what }), looks: number[] = [];
    runTo(system, BOOTED);
    system.consoles.type("host", new TextEncoder().encode(typed));
    runTo(system, BOOTED + BEGUN);
    for (let look = 0; look < FIRST + LOOKS; look++) {
      runTo(system, system.machine.time + APART);
      const began = computed();
      system.inspector.answer({ table: "diagnose", args: {} });
      if (look >= FIRST) looks.push(computed() - began);
    }
    figures[figure] = median(looks);
  }
  return figures;
}

if (import.meta.main) {
  const [tree, folder] = Deno.args;
  console.log(JSON.stringify(await measure(tree, folder)));
}
