// A program whose worker serves the machine as el2's does, and tries which rights it has left once
// its machine has begun, or when it is asked: Deno's answer to the question is about paths and
// hosts that it must be told. The program prints them.

import { planText } from "../../src/configuration/plan-run.ts";
import { serveJobs } from "../../src/cli/jobs/job-worker.ts";
import type { JobMessage } from "../../src/cli/jobs/jobs.ts";
import { runJob } from "../../src/cli/jobs/run-job.ts";
import { JOB_NAME, startWorker, WORKER_NAME } from "../../src/session/client.ts";
import { serveMachine } from "../../src/session/worker.ts";

const IMAGE = new URL("../../assets/guests/hello.bin", import.meta.url).pathname;

/** Rights, each with something that only it allows. */
const TRIES: readonly (readonly [right: string, act: () => void])[] = [
  ["read", () => void Deno.statSync("/")],
  ["write", () => Deno.removeSync(Deno.makeTempFileSync({ prefix: "el2-" }))],
  ["env", () => void Deno.env.get("PATH")],
  ["net", () => Deno.listen({ hostname: "127.0.0.1", port: 0 }).close()],
  ["run", () => void new Deno.Command("true", { stdout: "null", stderr: "null" }).outputSync()],
  ["ffi", () => Deno.dlopen("/", {}).close()],
  ["sys", () => void Deno.osRelease()],
  ["caches", () => needs("caches")],
  ["Worker", () => needs("Worker")],
  ["node:Worker", () => void new (builtin("node:worker_threads").Worker)("1", { eval: true }).terminate()],
];

const builtin = (name: "node:worker_threads") => globalThis.process.getBuiltinModule(name);

/** @throws NotCapable if this thread gave up a service of Deno */
function needs(name: string): void {
  if (!(name in globalThis)) throw new Deno.errors.NotCapable(name);
}

/** The rights that this thread has. */
function triedRights(): string[] {
  return TRIES.filter(([, act]) => {
    try {
      act();
    } catch (error) {
      // Another failure, such as a full disk, comes after Deno has allowed it.
      return !(error instanceof Deno.errors.NotCapable);
    }
    return true;
  }).map(([right]) => right);
}

if (globalThis.name === WORKER_NAME && typeof WorkerGlobalScope !== "undefined") {
  serveMachine();
  const serve = globalThis.onmessage!;
  globalThis.onmessage = function (event: MessageEvent) {
    if (event.data.kind === "rights") return event.data.port.postMessage(triedRights());
    serve.call(this, event);
    const starts = Array.isArray(event.data) && event.data.some(({ kind }) => kind === "start");
    if (starts) globalThis.postMessage([{ kind: "failed", message: `rights: ${triedRights().join(" ")}` }]);
  };
} else if (globalThis.name === JOB_NAME && typeof WorkerGlobalScope !== "undefined") {
  serveJobs();
  const post = globalThis.postMessage.bind(globalThis);
  // The job's guest has run by then.
  globalThis.postMessage = (message: JobMessage) => post(message.kind === "done" ? { kind: "done", result: triedRights() } : message);
} else {
  const planned = await planText(`el2 = 1\n[vm.a]\nimage = "${IMAGE}"\nmemory = "4MiB"\n`, undefined, "/");
  if (!planned.ok) throw new Error(planned.errors.join("\n"));
  const { ui: _, recordTo: __, ...plan } = planned.run;
  if (Deno.args[0] === "job") {
    const input = { plan, vm: "rm", json: false, duration: 1e6 };
    const rights = await runJob(new URL(import.meta.url), { name: "calls", input, plans: [plan] }) as unknown as string[];
    console.log(`rights: ${rights.join(" ")}`);
    Deno.exit();
  }
  const client = startWorker(new URL(import.meta.url));
  client.onEvent = (event) => {
    if (event.kind !== "failed") return;
    console.log(event.message);
    Deno.exit();
  };
  client.send({ kind: "start", plan });
}
