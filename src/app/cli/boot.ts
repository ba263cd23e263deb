// The command line of `el2 boot` alone: a guest need not wait for the modules of other commands.

import { registerBoot } from "./commands/machines/boot.ts";
import { keepSpare, type SessionClient } from "../../session/worker/client.ts";
import { runProgram } from "./program.ts";

/**
 * Runs a command line that begins with `boot`, and returns the exit code.
 * @param spare a worker that was started for it
 */
export async function main(args: readonly string[], entry: URL, spare?: SessionClient): Promise<number> {
  keepSpare(spare);
  return await runProgram([["Run:", [registerBoot]]], args, entry, async () => (await import("./main.ts")).treeOf(entry));
}
