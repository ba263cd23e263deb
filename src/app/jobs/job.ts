// Jobs: work of a command with machines of guests outside of sessions. It runs in a worker without
// rights (`job-worker.ts`), as a session's machine does, for the command in the thread with rights
// (`run-job.ts`).

import { ExitCode } from "./failure.ts";
import { PlanError } from "../../model/plans/plan.ts";
import { type Said, UserError } from "../../kit/support/problem.ts";

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

/** A job cannot be done for a reason that the user can fix. */
export class JobRefused extends UserError {
  constructor(said: Said, readonly code: number = ExitCode.Usage) {
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
