// Starts jobs for commands: a job that is refused is the failure of its command. Commands print
// the results of those that count or sample what VMs execute.

import type { JOBS } from "./job-worker.ts";
import { ExitCode, Failure } from "./failure.ts";
import { JobRefused, type JobResult } from "../../session/batch/job.ts";
import { JobRunner, type WantedJob } from "../../session/batch/job-runner.ts";

export type { CountedEvents, CountedKind } from "../../session/inspection/execution/event-counts.ts";
export { COUNTED_KINDS } from "../../session/inspection/execution/event-counts.ts";
export type { ExecutedLine, ExecutedVm } from "../../session/inspection/execution/executed.ts";
export type { Latency } from "../../session/inspection/execution/latencies.ts";
export type { ProcessInstructions } from "../../session/inspection/execution/process-counts.ts";
export type { ExecutedParts } from "../../session/inspection/execution/read-executed.ts";
export type { SampledStack } from "../../session/inspection/execution/stack-samples.ts";

type All = typeof JOBS;

/**
 * Does a job in a worker without rights.
 * @param entry the module of the worker
 * @throws Failure if it cannot be done; an Error for a bug of el2 in it
 */
export async function runJob<N extends keyof All>(entry: URL, wanted: WantedJob<All, N>): Promise<JobResult<All, N>> {
  using jobs = new Jobs(entry);
  return await jobs.run(wanted);
}

/** A worker without rights, for jobs one after the other. */
export class Jobs extends JobRunner<All> {
  /** @throws as `runJob` */
  override async run<N extends keyof All>(wanted: WantedJob<All, N>): Promise<JobResult<All, N>> {
    try {
      return await super.run(wanted);
    } catch (error) {
      if (error instanceof JobRefused) throw new Failure(error.problem, undefined, error.isWrong ? ExitCode.Usage : ExitCode.Failed);
      throw error;
    }
  }
}
