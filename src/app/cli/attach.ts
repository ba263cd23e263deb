// The command line of `el2 attach` alone: screens need not wait for the modules of other commands.

import { registerAttach } from "./commands/screens/attach.ts";
import { runProgram } from "./program.ts";

/** Runs a command line that begins with `attach`, and returns the exit code. */
export async function main(args: readonly string[], entry: URL): Promise<number> {
  return await runProgram([["Run:", [registerAttach]]], args, entry, async () => (await import("./main.ts")).treeOf(entry));
}
