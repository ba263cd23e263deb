// The command line of `el2 test` alone: scenarios need not wait for the modules of other commands.

import { registerTest } from "./commands/scenarios/test.ts";
import { runProgram } from "./program.ts";

/** Runs a command line that begins with `test`, and returns the exit code. */
export async function main(args: readonly string[], entry: URL): Promise<number> {
  return await runProgram([["Test and measure:", [registerTest]]], args, entry, async () => (await import("./main.ts")).treeOf(entry));
}
