// The script of action.yml, started as a runner does.

import type { Outcome } from "./programs.ts";

const SCRIPT = new URL("../../scripts/action/test.sh", import.meta.url).pathname;

/** Result of a run of the action. */
export interface ActionOutcome extends Outcome {
  /** Files that the runner reads afterwards. */
  readonly outputs: string;
  readonly path: string;
  readonly summary: string;
}

/** The action as a process that leads its own group. @param temp as of `runAction` */
export async function startAction(
  workspace: string,
  temp: string,
  env: Record<string, string>,
  inputs: Record<string, string>,
): Promise<{ child: Deno.ChildProcess; files: string[] }> {
  const files = { GITHUB_OUTPUT: `${temp}/output`, GITHUB_PATH: `${temp}/path`, GITHUB_STEP_SUMMARY: `${temp}/summary` };
  await Deno.mkdir(temp, { recursive: true });
  for (const file of Object.values(files)) await Deno.writeTextFile(file, "");
  const defaults = { package: "", guests: "", "allow-host": "", shard: "", durations: "", results: "el2-results", ...inputs };
  const given = Object.fromEntries(
    Object.entries(defaults).map(([name, value]) => [`EL2_ACTION_${name.toUpperCase().replaceAll("-", "_")}`, value]),
  );
  const child = new Deno.Command("setsid", {
    args: [SCRIPT],
    cwd: workspace,
    env: { GITHUB_ACTION_REF: "v0.1.0", GITHUB_ACTION_REPOSITORY: "owner/el2", ...env, RUNNER_TEMP: temp, ...files, ...given },
    clearEnv: true,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  return { child, files: Object.values(files) };
}

/** Runs the action in a workspace. @param temp the runner's folder, kept between steps of a job */
export async function runAction(...[workspace, temp, env, inputs]: Parameters<typeof startAction>): Promise<ActionOutcome> {
  const { child, files } = await startAction(workspace, temp, env, inputs);
  const { code, stdout, stderr } = await child.output();
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  const [outputs, path, summary] = await Promise.all(files.map((file) => Deno.readTextFile(file)));
  return { code, stdout: decode(stdout), stderr: decode(stderr), outputs, path, summary };
}

/**
 * An environment whose npm does nothing: el2 is in the runner's folder already.
 * @param folder for that npm
 */
export async function withIdleNpm(env: Record<string, string>, folder: string): Promise<Record<string, string>> {
  await Deno.mkdir(`${folder}/idle`);
  await Deno.writeTextFile(`${folder}/idle/npm`, "#!/bin/sh\n", { mode: 0o755 });
  return { ...env, PATH: `${folder}/idle:${env.PATH}` };
}
