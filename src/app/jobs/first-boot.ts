// Job: the first boot of a Debian disk.

import { type JobPort, JobRefused } from "../../session/batch/job.ts";
import { configureDisk, type FirstBoot, FirstBootFailed } from "../catalog/debian-first-run.ts";
import { problemOf } from "../../kit/support/problem.ts";

/** Tells how far it is: 0..100, and of what. */
export function job(first: Omit<FirstBoot, "progress">, port: JobPort<readonly [percent: number, what: string]>): void {
  let last = -1;
  const progress = (percent: number, what: string) => {
    if (percent !== last) port.say([last = percent, what]);
  };
  try {
    configureDisk({ ...first, progress });
  } catch (error) {
    if (error instanceof FirstBootFailed) throw new JobRefused(problemOf(error));
    throw error;
  }
}
