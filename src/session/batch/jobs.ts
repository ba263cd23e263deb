// The jobs that need nothing but machines, recordings and snapshots.

/** The modules of the jobs, each with its job as `job`. */
export const MACHINE_JOBS = {
  "recordings": () => import("./recordings.ts"),
  "features": () => import("./features.ts"),
  "snapshots": () => import("./snapshots.ts"),
  "verify": () => import("./verify.ts"),
  "calls": () => import("./calls.ts"),
  "vmcore": () => import("./vmcore.ts"),
  "executed": () => import("./executed.ts"),
  "event-counts": () => import("./event-counts.ts"),
  "process-counts": () => import("./process-counts.ts"),
  "latencies": () => import("./latencies.ts"),
  "stacks": () => import("./stacks.ts"),
  "instructions": () => import("./instructions.ts"),
} as const;
