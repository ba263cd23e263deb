// Jobs: work of a command with machines of guests outside of sessions. It runs in a worker without
// rights (`job-worker.ts`), as a session's machine does, for the command in the thread with rights
// (`job-runner.ts`).

import { PlanError, type SessionPlan } from "../../model/plans/plan.ts";
import { type Problem, type Said, UserError } from "../../kit/support/problem.ts";
import type { WorkerSurroundings } from "../worker/confined-worker.ts";

/** A job's way to its command. */
export interface JobPort<Said> {
  /** Sends something to the command; waits while that has too much to do. */
  say(said: Said): void;
}

/** Pages of a snapshot that a job has read. */
export interface ReadPages {
  readonly done: number;
  readonly all: number;
}

/** A job: plain data goes in and comes out. */
export type Job<Input, Said, Result> = (input: Input, port: JobPort<Said>) => Result | Promise<Result>;

/** Jobs by their names: the module of each, with its job as `job`. */
export type JobTable = Readonly<Record<string, () => Promise<{ readonly job: Job<never, never, unknown> }>>>;

type JobOf<T extends JobTable, N extends keyof T> = Awaited<ReturnType<T[N]>>["job"];
export type JobInput<T extends JobTable, N extends keyof T> = Parameters<JobOf<T, N>>[0];
export type JobSaid<T extends JobTable, N extends keyof T> = Parameters<JobOf<T, N>> extends readonly [unknown, JobPort<infer Said>] ? Said
  : never;
export type JobResult<T extends JobTable, N extends keyof T> = Awaited<ReturnType<JobOf<T, N>>>;

/** A job cannot be done for a reason that the user can fix. */
export class JobRefused extends UserError {
  /** @param isWrong whether the job was asked for wrongly; else it was tried, and failed */
  constructor(said: Said, readonly isWrong = true) {
    super(said);
  }
}

/** Makes a machine. @throws JobRefused if a file of its plan cannot be used */
export function made<T>(make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (error instanceof PlanError) throw new JobRefused(error.problem);
    throw error;
  }
}

/** The message that starts a job. */
export interface JobOrder {
  readonly name: string;
  readonly input: unknown;
  /** The plans of its machines, whose disks it may open. */
  readonly plans: readonly SessionPlan[];
  /** The thread that acts for the worker, unless that has the rights of its process. */
  readonly surroundings: WorkerSurroundings | undefined;
  /** How many of its messages the command has taken. */
  readonly taken: SharedArrayBuffer;
}

/** The message that has a worker load a job before its order comes. */
export interface JobNotice {
  readonly loads: string;
}

/** A worker's word to the thread of the command. */
export type JobMessage =
  | { readonly kind: "ready" }
  | { readonly kind: "said"; readonly said: unknown }
  | { readonly kind: "done"; readonly result: unknown }
  | { readonly kind: "refused"; readonly problem: Problem; readonly isWrong: boolean }
  | { readonly kind: "failed"; readonly stack: string };
