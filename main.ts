// The entry. The same file plays two roles, so that one bundle is enough: the command line, and the
// worker that the machine runs in. No top-level await here: messages posted to a worker that is
// still loading would be lost.

import { startWorker, WORKER_NAME } from "./src/session/client.ts";
import { VERSION } from "./src/support/version.ts";

/** Commands that run a machine: its worker loads in parallel with the command line. */
const RUNNING = [undefined, "run", "boot", "record", "replay"];

if (globalThis.name === WORKER_NAME && typeof WorkerGlobalScope !== "undefined") {
  import("./src/session/worker.ts").then((worker) => worker.serveMachine());
} else if (Deno.args.length === 1 && Deno.args[0] === "--version") {
  // `--version` alone need not load the commands.
  console.log(VERSION);
} else {
  const entry = new URL(import.meta.url);
  const spare = RUNNING.includes(Deno.args[0]) && !Deno.args.includes("--help") ? startWorker(entry) : undefined;
  commandLine(Deno.args[0]).then((cli) => cli.main(Deno.args, entry, spare)).then((code) => Deno.exit(code));
}

/** The command line with a command. Those of guests have no other command, and load sooner. */
function commandLine(command: string | undefined) {
  if (command === "boot") return import("./src/cli/boot.ts");
  return command === "run" ? import("./src/cli/run.ts") : import("./src/cli/main.ts");
}
