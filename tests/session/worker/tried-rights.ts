// A program whose worker serves the machine as el2's does, and tries which rights it has left once
// its machine has begun, or when it is asked. The program prints them.

import type { JobMessage } from "../../../src/session/batch/job.ts";
import { COMPILER_NAME, JOB_NAME, newWorker, startWorker, WORKER_NAME } from "../../../src/session/worker/client.ts";
import { assertPlanned } from "../../support/planned.ts";
import { remains } from "../../support/remains.ts";
import { triedRights } from "../../support/tried-rights.ts";

const IMAGE = new URL("../../../assets/guests/hello.bin", import.meta.url).pathname;

// As in `main.ts`, each role loads what it needs.
if (globalThis.name === WORKER_NAME && typeof WorkerGlobalScope !== "undefined") {
  import("../../../src/session/worker/worker.ts").then(({ serveMachine }) => tryMachine(serveMachine));
} else if (globalThis.name === JOB_NAME && typeof WorkerGlobalScope !== "undefined") {
  import("../../../src/app/jobs/job-worker.ts").then(({ serveJobs }) => tryJobs(serveJobs));
} else {
  await tryWorkers();
}

function tryMachine(serveMachine: () => void): void {
  serveMachine();
  const serve = globalThis.onmessage!;
  globalThis.onmessage = function (event: MessageEvent) {
    if (event.data.kind === "rights") return event.data.port.postMessage(triedRights());
    serve.call(this, event);
    const starts = Array.isArray(event.data) && event.data.some(({ kind }) => kind === "start");
    if (starts) {
      const rights = triedRights().join(" ");
      remains().then((all) => globalThis.postMessage([{ kind: "failed", message: `rights: ${rights}\nremains: ${JSON.stringify(all)}` }]));
    }
  };
}

function tryJobs(serveJobs: () => void): void {
  serveJobs();
  const post = globalThis.postMessage.bind(globalThis);
  // The job's guest has run by then.
  globalThis.postMessage = (message: JobMessage) => post(message.kind === "done" ? { kind: "done", result: triedRights() } : message);
}

async function tryWorkers(): Promise<void> {
  if (Deno.args[0] === "compiler") {
    const worker = newWorker(new URL("./tried-compiler.ts", import.meta.url), COMPILER_NAME);
    worker.onmessage = ({ data }) => {
      // It serves, and then says what it has.
      if (data === "ready") return;
      console.log(data);
      Deno.exit();
    };
    return;
  }
  const { planText } = await import("../../../src/app/configuration/plan-run.ts");
  const planned = await planText(`el2 = 1\n[vm.a]\nimage = "${IMAGE}"\nmemory = "4MiB"\n`, undefined, "/");
  assertPlanned(planned);
  const { ui: _, recordTo: __, ...plan } = planned.run;
  if (Deno.args[0] === "job") {
    const { runJob } = await import("../../../src/app/jobs/run-job.ts");
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
