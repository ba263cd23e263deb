// Job: runs a scenario.

import { type JobPort, JobRefused, made } from "../../session/batch/job.ts";
import { PreparedStates } from "../../session/snapshots/prepared.ts";
import type { PastRun } from "../../session/recordings/file/recording-writer.ts";
import { type PreparedState, type ScenarioResult, Undelivered } from "../scenarios/run-terms.ts";
import { ScenarioRun } from "../scenarios/run.ts";
import type { PlannedScenario } from "../scenarios/plan-scenario.ts";
import { ScenarioError, type Step } from "../scenarios/scenario.ts";

/** States of machines that scenarios of this worker share. */
const states = new PreparedStates();

/** A scenario to run. */
interface WantedScenario {
  readonly planned: PlannedScenario;
  /** Wall time (ms) after which the step in progress fails. */
  readonly timeout: number | undefined;
}

/** A run that failed, with the plan, whose files are no longer in the thread of the command. */
interface FailedRun {
  readonly plan: PlannedScenario["plan"];
  readonly past: PastRun;
}

/** Its result, and its run if it failed; or why the guest did not take files. */
type ScenarioOutcome = { readonly result: ScenarioResult; readonly failed: FailedRun | undefined } | { readonly undelivered: string };

/** Tells about once per second which step waits, at which virtual time (ns). */
export async function job(
  { planned, timeout }: WantedScenario,
  port: JobPort<{ readonly step: Step; readonly at: number }>,
): Promise<ScenarioOutcome> {
  const { plan, kept } = planned, key = await keyOf(planned);
  let isFresh = false;
  const prepared: PreparedState | undefined = key === undefined ? undefined : {
    begin(alone) {
      if (kept?.bytes) states.read(key, kept.path, kept.bytes);
      return states.begin(key, alone);
    },
    keep(system, shown) {
      isFresh = true;
      return states.keep(key, system, plan, shown);
    },
  };
  try {
    const run = made(() => new ScenarioRun(planned, { timeout, prepared, onProgress: (step, at) => port.say({ step, at }) }));
    const result = await run.run();
    const failed = result.steps.find((step) => step.result === "failed");
    const past = failed && run.past(`${failed.text}: ${failed.message}`);
    if (key !== undefined) {
      states.leave(key, run.system);
      if (kept && isFresh) states.write(key, kept.path, kept.made);
    }
    return { result, failed: past && { plan, past } };
  } catch (error) {
    if (error instanceof ScenarioError) throw new JobRefused(error.problem);
    if (error instanceof Undelivered) return { undelivered: error.message };
    throw error;
  }
}

/** The key of the state that the machine begins with, or leaves; undefined without one. */
async function keyOf({ isPrepared, plan, kept }: PlannedScenario): Promise<string | undefined> {
  if (!isPrepared) return undefined;
  return await (kept ? states.keyOfFile(kept.path, kept.made) : states.keyOf(plan));
}
