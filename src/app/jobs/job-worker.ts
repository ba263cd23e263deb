// The worker of a job: it loads the job's modules, opens the disks of its plans, and gives up its
// rights before a guest runs.

import { type Job, JobRefused } from "./job.ts";
import { type JobMessage, type JobOrder, JOBS } from "./jobs.ts";
import { keepCores, saveRegions } from "../../session/assembly/code/core-cache.ts";
import { startsSystem } from "../../model/plans/plan.ts";
import { OwnDisks } from "../../session/worker/own-disks.ts";
import { useSurroundings } from "../../session/worker/worker-surroundings.ts";
import { giveUpRights, giveUpServices, isConfined } from "../../session/worker/given-up.ts";
import { allowHugePages } from "../../kit/support/computer/huge-pages.ts";

/** Messages that wait for the command, at most. */
const WAITING_MAX = 64;

/** Does the jobs of its messages, one after the other. Call it once, in the worker. */
export function serveJobs(): void {
  if (isConfined()) giveUpServices();
  const post = (message: JobMessage) => globalThis.postMessage(message);
  globalThis.onmessage = ({ data }: MessageEvent<JobOrder>) => {
    work(data, post).then(
      (result) => post({ kind: "done", result }),
      (error) => {
        if (error instanceof JobRefused) post({ kind: "refused", problem: error.problem, code: error.code });
        else post({ kind: "failed", stack: error instanceof Error ? error.stack ?? error.message : String(error) });
      },
    );
  };
  post({ kind: "ready" });
}

/** Whether this thread has what it needs for its machines. */
let prepared = false;

/** Messages to commands. */
let sent = 0;

async function work({ name, input, plans, surroundings, taken }: JobOrder, post: (message: JobMessage) => void): Promise<unknown> {
  const { job } = await JOBS[name]();
  if (!prepared) {
    const disks = new OwnDisks();
    if (surroundings) useSurroundings(surroundings, disks);
    keepCores(surroundings?.folders);
    if (plans.some(startsSystem)) allowHugePages();
    if (isConfined()) {
      for (const plan of plans) disks.openAll(plan);
      giveUpRights();
    }
    prepared = true;
  }
  const heard = new Int32Array(taken);
  const say = (said: unknown) => {
    for (let now = Atomics.load(heard, 0); sent - now >= WAITING_MAX; now = Atomics.load(heard, 0)) Atomics.wait(heard, 0, now);
    sent++;
    post({ kind: "said", said });
  };
  const result = await (job as Job<unknown, unknown, unknown>)(input, { say });
  saveRegions();
  return result;
}
