// The command line of `el2 boot` alone: a guest need not wait for the modules of other commands.

import { registerBoot } from "./commands/boot.ts";
import { runProgram } from "./program.ts";

/** Runs a command line that begins with `boot`, and returns the exit code. */
export async function main(args: readonly string[], entry: URL): Promise<number> {
  return await runProgram([["Run:", [registerBoot]]], args, entry);
}
