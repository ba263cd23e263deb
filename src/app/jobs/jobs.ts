// All jobs, and the messages between a job's worker and the thread of its command.

import type { JobPort } from "./job.ts";
import type { SessionPlan } from "../../model/plans/plan.ts";
import type { WorkerSurroundings } from "../../session/worker/confined-worker.ts";
import type { Problem } from "../../kit/support/problem.ts";

/** The modules of the jobs, each with its job as `job`. */
export const JOBS = {
  "scenario": () => import("./scenario.ts"),
  "recordings": () => import("./recordings.ts"),
  "features": () => import("./features.ts"),
  "snapshots": () => import("./snapshots.ts"),
  "verify": () => import("./verify.ts"),
  "calls": () => import("./calls.ts"),
  "first-boot": () => import("./first-boot.ts"),
  "vmcore": () => import("./vmcore.ts"),
  "executed": () => import("./executed.ts"),
  "event-counts": () => import("./event-counts.ts"),
  "process-counts": () => import("./process-counts.ts"),
  "latencies": () => import("./latencies.ts"),
  "stacks": () => import("./stacks.ts"),
  "instructions": () => import("./instructions.ts"),
} as const;

export type JobName = keyof typeof JOBS;
type JobOf<N extends JobName> = Awaited<ReturnType<typeof JOBS[N]>>["job"];
export type JobInput<N extends JobName> = Parameters<JobOf<N>>[0];
export type JobSaid<N extends JobName> = Parameters<JobOf<N>> extends readonly [unknown, JobPort<infer Said>] ? Said : never;
export type JobResult<N extends JobName> = Awaited<ReturnType<JobOf<N>>>;

/** The message that starts a job. */
export interface JobOrder {
  readonly name: JobName;
  readonly input: unknown;
  /** The plans of its machines, whose disks it may open. */
  readonly plans: readonly SessionPlan[];
  /** The thread that acts for the worker, unless that has the rights of its process. */
  readonly surroundings: WorkerSurroundings | undefined;
  /** How many of its messages the command has taken. */
  readonly taken: SharedArrayBuffer;
}

/** A worker's word to the thread of the command. */
export type JobMessage =
  | { readonly kind: "ready" }
  | { readonly kind: "said"; readonly said: unknown }
  | { readonly kind: "done"; readonly result: unknown }
  | { readonly kind: "refused"; readonly problem: Problem; readonly code: number }
  | { readonly kind: "failed"; readonly stack: string };
