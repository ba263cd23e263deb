// Job: runs a scenario.

import { type JobPort, JobRefused, made } from "../../session/batch/job.ts";
import type { PastRun } from "../../session/recordings/file/recording-writer.ts";
import { type ScenarioResult, ScenarioRun } from "../scenarios/run.ts";
import type { PlannedScenario } from "../scenarios/plan-scenario.ts";
import { ScenarioError, type Step } from "../scenarios/scenario.ts";

/** A scenario to run. */
interface WantedScenario {
  readonly planned: PlannedScenario;
  /** Wall time (ms) after which the step in progress fails. */
  readonly timeout: number | undefined;
}

/** Tells about once per second which step waits, at which virtual time (ns). */
export async function job(
  { planned, timeout }: WantedScenario,
  port: JobPort<{ readonly step: Step; readonly at: number }>,
): Promise<{ readonly result: ScenarioResult; readonly past: PastRun | undefined }> {
  try {
    const run = made(() => new ScenarioRun(planned, { timeout, onProgress: (step, at) => port.say({ step, at }) }));
    const result = await run.run();
    const failed = result.steps.find((step) => step.result === "failed");
    return { result, past: failed && run.past(`${failed.text}: ${failed.message}`) };
  } catch (error) {
    if (error instanceof ScenarioError) throw new JobRefused(error.problem);
    throw error;
  }
}
