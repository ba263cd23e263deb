// The worker of a job: it loads the job's modules, opens the disks of its plans, and gives up its
// rights before a guest runs.

import { type Job, type JobMessage, type JobNotice, type JobOrder, JobRefused, type JobTable } from "./job.ts";
import { keepCores, saveRegions } from "../assembly/code/core-cache.ts";
import { startsSystem } from "../../model/plans/plan.ts";
import { OwnDisks } from "../worker/own-disks.ts";
import { useSurroundings } from "../worker/worker-surroundings.ts";
import { giveUpRights, giveUpServices, isConfined } from "../worker/rights/given-up.ts";
import { allowHugePages } from "../../kit/support/computer/huge-pages.ts";

/** Messages that wait for the command, at most. */
const WAITING_MAX = 64;

/** Does the jobs of its messages, one after the other. Call it once, in the worker. */
export function serve(jobs: JobTable): void {
  if (isConfined()) giveUpServices();
  const post = (message: JobMessage) => globalThis.postMessage(message);
  globalThis.onmessage = ({ data }: MessageEvent<JobOrder | JobNotice>) => {
    // The order of the job reports an error.
    if ("loads" in data) return void jobs[data.loads]().catch(() => {});
    work(jobs, data, post).then(
      (result) => post({ kind: "done", result }),
      (error) => {
        if (error instanceof JobRefused) post({ kind: "refused", problem: error.problem, isWrong: error.isWrong });
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

async function work(
  jobs: JobTable,
  { name, input, plans, surroundings, taken }: JobOrder,
  post: (message: JobMessage) => void,
): Promise<unknown> {
  const { job } = await jobs[name]();
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
