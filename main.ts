// The entry. The same file plays four roles, so that one bundle is enough: the command line, the
// worker that the machine runs in, the one that compiles for it, and the worker of other work with
// machines. No top-level await here: messages posted to a worker that is still loading would be
// lost.

import { COMPILER_NAME, JOB_NAME, startWorker, WORKER_NAME } from "./src/session/worker/client.ts";
import { preparedProgram, type ProgramPart } from "./src/session/worker/prepared-program.ts";
import { VERSION } from "./src/kit/support/version.ts";

/** Commands that run a machine: its worker loads in parallel with the command line. */
const RUNNING = [undefined, "run", "boot", "replay", "background"];

if (globalThis.name === WORKER_NAME && typeof WorkerGlobalScope !== "undefined") {
  import("./src/session/worker/worker.ts").then((worker) => worker.serveMachine())
    .catch((error) => withoutLibraries(error, (message) => [{ kind: "failed", message }]));
} else if (globalThis.name === COMPILER_NAME && typeof WorkerGlobalScope !== "undefined") {
  import("./src/session/worker/compiler-worker.ts");
} else if (globalThis.name === JOB_NAME && typeof WorkerGlobalScope !== "undefined") {
  import("./src/app/jobs/job-worker.ts").then((worker) => worker.serveJobs())
    .catch((error) => withoutLibraries(error, (stack) => ({ kind: "failed", stack })));
} else if (Deno.args.length === 1 && Deno.args[0] === "--version") {
  // `--version` alone need not load the commands.
  console.log(VERSION);
} else {
  const entry = new URL(import.meta.url);
  // Deno ends with 0 when nothing can happen any more, also while a command waits.
  addEventListener("beforeunload", () => {
    console.error("el2: a bug of el2: the command waits for what cannot come");
    Deno.exitCode = 1;
  });
  start(entry).catch(unlessLibraries).then((code) => Deno.exit(code));
}

/**
 * The exit code where Deno could not fetch or load el2's libraries, and said why.
 * @throws any other error
 */
async function unlessLibraries(error: unknown): Promise<number> {
  const { missingLibraries } = await import("./src/kit/support/computer/missing-libraries.ts");
  const line = missingLibraries(error);
  if (line === undefined) throw error;
  console.error(line);
  return 1;
}

/**
 * Tells the owner of a worker whose libraries Deno could not fetch or load. Deno would print an
 * error that is thrown, in a dozen lines beside the one of the command line.
 * @throws any other error
 */
async function withoutLibraries(error: unknown, message: (text: string) => unknown): Promise<void> {
  const { missingLibraries } = await import("./src/kit/support/computer/missing-libraries.ts");
  const line = missingLibraries(error);
  if (line === undefined) throw error;
  globalThis.postMessage(message(line.replace(/^el2: /, "")));
}

/**
 * Runs the command line. Commands that start guests or screens are loaded without the others, and
 * so sooner.
 */
async function start(entry: URL): Promise<number> {
  // The worker is what a start waits for longest: nothing is loaded before it begins.
  const followed = import("./src/kit/support/computer/launcher.ts").then(({ followLauncher }) => followLauncher());
  const prepared = preparedProgram(entry);
  const part = async <M>(name: ProgramPart, fromSources: () => Promise<M>): Promise<M> => {
    const [module] = await Promise.all([prepared?.isCurrent() ? import(prepared.module(name).href) : fromSources(), followed]);
    return module;
  };
  // Without options and a configuration, the demo's first frame need not wait until the command
  // line is loaded, nor compete with the worker for processors.
  const isDemo = Deno.args.length === 2 && Deno.args[0] === "run" && Deno.args[1] === "demo";
  const opening = isDemo && Deno.stdin.isTerminal() && Deno.stdout.isTerminal()
    ? await (await part("opening", () => import("./src/app/cli/start/screens/opening.ts"))).openDemo()
    : undefined;
  const spare = RUNNING.includes(Deno.args[0]) && !Deno.args.includes("--help") ? startWorker(entry, prepared) : undefined;
  switch (Deno.args[0]) {
    case "boot":
      return await (await part("boot", () => import("./src/app/cli/boot.ts"))).main(Deno.args, entry, spare);
    case "attach":
      return await (await part("attach", () => import("./src/app/cli/attach.ts"))).main(Deno.args, entry);
    case "run":
      return await (await part("run", () => import("./src/app/cli/run.ts"))).main(Deno.args, entry, spare, opening);
    case "test":
      return await (await part("test", () => import("./src/app/cli/test.ts"))).main(Deno.args, entry);
    default:
      return await (await part("main", () => import("./src/app/cli/main.ts"))).main(Deno.args, entry, spare);
  }
}
