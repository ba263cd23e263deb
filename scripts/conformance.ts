// Replays the conformance cases (tests/conformance/README.md) against el2's own hypervisor, or
// against one that starts at EL2 and runs the probe as its first VM:
//
//     deno task conformance [--el2 FILE [--el2-args TEXT]] [OPTIONS of run.ts]
//
// The last line counts cases that passed and failed; exit 1 where one failed, 2 for bad options.

import { fileURLToPath } from "node:url";
import { exists } from "../src/kit/support/files/cache.ts";
import { buildProbe } from "../tests/conformance/probe/build.ts";
import { el2Command } from "../tests/support/el2.ts";

const FOLDER = fileURLToPath(new URL("../tests/conformance", import.meta.url));
/** The machine of the recordings. */
const MACHINE = ["--cpus", "8", "--memory", "1GiB", "--stdio", "--turbo"];
/** Options of `el2 boot`; all others are the runner's. */
const OF_BOOT: readonly string[] = ["--el2", "--el2-args"];

function refuse(problem: string): never {
  console.error(problem);
  Deno.exit(2);
}

/** The options of `el2 boot` and those of the runner. */
function split(args: readonly string[]): { readonly boot: readonly string[]; readonly runner: readonly string[] } {
  const boot: string[] = [], runner: string[] = [];
  for (let at = 0; at < args.length; at++) {
    const [name, joined] = args[at].split(/=(.*)/s);
    if (!OF_BOOT.includes(name)) {
      runner.push(args[at]);
      continue;
    }
    const value = joined ?? args[++at];
    if (value === undefined) refuse(`conformance: ${name} needs a value`);
    boot.push(name, value);
  }
  if (boot.includes("--el2-args") && !boot.includes("--el2")) refuse("conformance: --el2-args is for the hypervisor of --el2");
  return { boot, runner };
}

const { boot, runner } = split(Deno.args), image = boot[boot.indexOf("--el2") + 1];
if (boot.length && !await exists(image)) refuse(`conformance: --el2 ${image}: no such file; name an ELF, an arm64 Image or raw code`);
const folder = await Deno.makeTempDir({ prefix: "el2-conformance-" });
try {
  const machine = el2Command("boot", await buildProbe(folder), ...MACHINE, ...boot);
  const cases = runner.includes("--cases") ? [] : ["--cases", `${FOLDER}/cases`];
  const args = ["run", "-q", "--allow-read", "--allow-write", "--allow-run", `${FOLDER}/run.ts`, ...cases, ...runner, "--", ...machine];
  const { code } = await new Deno.Command(Deno.execPath(), { args }).spawn().status;
  Deno.exitCode = code;
} finally {
  await Deno.remove(folder, { recursive: true });
}
