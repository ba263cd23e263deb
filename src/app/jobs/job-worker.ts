// The worker of commands, and its jobs: those that need a machine alone, and those that need the
// catalog or a scenario.

import { serve } from "../../session/batch/job-worker.ts";
import { MACHINE_JOBS } from "../../session/batch/jobs.ts";

export const JOBS = {
  ...MACHINE_JOBS,
  "scenario": () => import("./scenario.ts"),
  "first-boot": () => import("./first-boot.ts"),
} as const;

/** Call it once, in the worker. */
export function serveJobs(): void {
  serve(JOBS);
}
