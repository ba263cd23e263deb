// The command line of `el2 run` alone: VMs need not wait for the modules of other commands.

import { registerRun } from "./commands/machines/run.ts";
import type { Opening } from "./start/screens/opening.ts";
import { keepSpare, type SessionClient } from "../../session/worker/client.ts";
import { runProgram } from "./program.ts";

/**
 * Runs a command line that begins with `run`, and returns the exit code.
 * @param spare a worker that was started for it
 * @param opening the first frame of its screens
 */
export async function main(args: readonly string[], entry: URL, spare?: SessionClient, opening?: Opening): Promise<number> {
  keepSpare(spare);
  if (opening) (await import("./start/screens/opening.ts")).keepOpening(opening);
  return await runProgram([["Run:", [registerRun]]], args, entry, async () => (await import("./main.ts")).treeOf(entry));
}
