// The script of action.yml, started as a runner does.

import { type Outcome, runIn } from "./programs.ts";

const SCRIPT = new URL("../../scripts/action/test.sh", import.meta.url).pathname;

/** Result of a run of the action. */
export interface ActionOutcome extends Outcome {
  /** Files that the runner reads afterwards. */
  readonly outputs: string;
  readonly path: string;
  readonly summary: string;
}

/** Runs the action in a workspace. @param temp the runner's folder, kept between steps of a job */
export async function runAction(
  workspace: string,
  temp: string,
  env: Record<string, string>,
  inputs: Record<string, string>,
): Promise<ActionOutcome> {
  const files = { GITHUB_OUTPUT: `${temp}/output`, GITHUB_PATH: `${temp}/path`, GITHUB_STEP_SUMMARY: `${temp}/summary` };
  for (const file of Object.values(files)) await Deno.writeTextFile(file, "");
  const defaults = { package: "el2", guests: "", shard: "", durations: "", results: "el2-results", ...inputs };
  const given = Object.fromEntries(Object.entries(defaults).map(([name, value]) => [`EL2_ACTION_${name.toUpperCase()}`, value]));
  const outcome = await runIn(workspace, SCRIPT, [], { ...env, RUNNER_TEMP: temp, ...files, ...given });
  const [outputs, path, summary] = await Promise.all(Object.values(files).map((file) => Deno.readTextFile(file)));
  return { ...outcome, outputs, path, summary };
}
