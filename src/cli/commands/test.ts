// `el2 test FILE..`: runs scenarios, and says in TAP what became of each step.

import type { Command } from "@commander-js/extra-typings";
import { junitReport } from "./test-junit.ts";
import type { CommandContext } from "../common/command.ts";
import { ExitCode, Failure } from "../common/failure.ts";
import { useCoreCache } from "../common/machines-here.ts";
import { output, report } from "../common/print.ts";
import { parseDuration, parseWhole } from "../common/values.ts";
import { documentText, TESTED } from "../../queries/documents.ts";
import { planScenario } from "../../scenarios/plan-scenario.ts";
import type { ScenarioResult, ScenarioRun, StepResult } from "../../scenarios/run.ts";
import { readScenario, type Scenario, ScenarioError } from "../../scenarios/scenario.ts";
import { cannotRead, cannotWrite, readToEnd } from "../../support/named-file.ts";
import { writeWhole } from "../../support/whole-file.ts";

/** Adds the command. */
export function registerTest(program: Command, { exit }: CommandContext): void {
  program.command("test")
    .description("run scenarios: a machine, what is done to it, and what is expected of consoles, events, reasons and state; prints TAP")
    .argument("<file...>", "scenarios (TOML, docs/scenarios.md)")
    .option("--seed <n>", "seed of the machine in place of what scenario and configuration say", parseWhole(0, 2 ** 32 - 1))
    .option("--junit <file>", "write the results as JUnit XML, too")
    .option("--json", "print the results as JSON in place of TAP, a line for each scenario")
    .option("--recordings <folder>", "where a failed scenario leaves its recording", ".")
    .option("--timeout <time>", "wall time after which a scenario fails", parseDuration)
    .addHelpText(
      "after",
      `
Exit codes: 0 every step is as expected; 1 one is not; 2 a file is no scenario, nothing was run.

Examples:
  el2 test examples/demo.test.toml
  el2 test tests/*.test.toml --junit results.xml
  el2 test bug.test.toml --seed 7`,
    )
    .action(async (files, options) => {
      const scenarios = files.map(read);
      const results: ScenarioResult[] = [];
      const report = options.json ? undefined : new Tap(scenarios);
      for (const scenario of scenarios) {
        const { result, recording } = await runOne(scenario, options);
        results.push(result);
        if (report) report.scenario(result, recording);
        else output(`${documentText(TESTED, jsonOf(result, recording))}\n`);
      }
      if (options.junit !== undefined) writeReport(options.junit, junitReport(results));
      exit(results.every(({ ok }) => ok) ? ExitCode.Done : ExitCode.Failed);
    });
}

interface RunOptions {
  readonly seed?: number;
  readonly timeout?: number;
  readonly recordings: string;
}

function read(file: string): Scenario {
  let text: string;
  try {
    text = new TextDecoder().decode(readToEnd(file));
  } catch (error) {
    const wayOut = error instanceof Deno.errors.IsADirectory ? "; name the files in it" : "";
    throw new Failure(`scenario ${file}: ${cannotRead(error)}${wayOut}`);
  }
  try {
    return readScenario(file, text);
  } catch (error) {
    if (!(error instanceof ScenarioError)) throw error;
    throw new Failure(error.message);
  }
}

/** Runs a scenario; the path of its recording where it failed. */
async function runOne(scenario: Scenario, { seed, timeout, recordings }: RunOptions) {
  // A machine in this thread: what it is made of is loaded by who needs it.
  const { ScenarioRun } = await import("../../scenarios/run.ts");
  await useCoreCache();
  let run: ScenarioRun;
  try {
    run = new ScenarioRun(scenario, await planScenario(scenario, seed), {
      timeout: timeout === undefined ? undefined : timeout / 1e6,
      onProgress: ({ line }, at) => report(`el2: ${scenario.file}:${line}: t=${(at / 1e9).toFixed(3)}s`),
    });
  } catch (error) {
    if (!(error instanceof ScenarioError)) throw error;
    throw new Failure(error.message);
  }
  const result = await run.run();
  const failed = result.steps.find((step) => step.result === "failed");
  if (!failed) return { result, recording: undefined };
  const recording = `${recordings}/${scenario.name.replaceAll(/[^A-Za-z0-9._-]+/g, "-")}.rec`;
  try {
    await Deno.mkdir(recordings, { recursive: true });
    await run.record(recording, `${failed.text}: ${failed.message}`);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    report(`el2: --recordings ${recordings}: ${error.message}; name another folder`);
    return { result, recording: undefined };
  }
  return { result, recording };
}

function writeReport(file: string, text: string): void {
  try {
    writeWhole(file, text);
  } catch (error) {
    throw new Failure(`--junit ${file}: ${cannotWrite(error)}`, ExitCode.Failed);
  }
}

const seconds = (ns: number) => (ns / 1e9).toFixed(6);

/** TAP, version 14: a test for each step. */
class Tap {
  #number = 0;

  constructor(scenarios: readonly Scenario[]) {
    output(`TAP version 14\n1..${scenarios.reduce((sum, { steps }) => sum + steps.length, 0)}\n`);
  }

  scenario({ scenario, seed, steps }: ScenarioResult, recording: string | undefined): void {
    output(`# ${scenario.file}: seed ${seed}\n`);
    for (const step of steps) {
      const ok = step.result === "ok" ? "ok" : "not ok";
      const skipped = step.result === "skipped" ? " # SKIP a step before it failed" : "";
      // What stands behind a number sign is a directive.
      const text = `${scenario.name}: ${step.text}`.replaceAll(/[\\#]/g, (sign) => `\\${sign}`).replaceAll("\n", "\\n");
      output(`${skipped ? "ok" : ok} ${++this.#number} - ${text}${skipped}\n`);
      if (step.result === "failed") output(diagnostics(scenario, seed, step, recording));
    }
  }
}

/** The YAML block behind a failure. */
function diagnostics(
  { file }: Scenario,
  seed: number,
  { step, at, message, details = [] }: StepResult,
  recording: string | undefined,
): string {
  const lines = [
    `message: ${JSON.stringify(message)}`,
    `at: ${JSON.stringify(`${file}:${step.line}`)}`,
    `t: ${seconds(at)}`,
    `seed: ${seed}`,
    ...details.length ? ["details:", ...details.map((line) => `  - ${JSON.stringify(line)}`)] : [],
    ...recording === undefined
      ? []
      : [`recording: ${JSON.stringify(recording)}`, `replay: ${JSON.stringify(`el2 replay ${recording} --verify`)}`],
  ];
  return ["---", ...lines, "..."].map((line) => `  ${line}\n`).join("");
}

function jsonOf({ scenario, seed, ok, steps }: ScenarioResult, recording: string | undefined) {
  return {
    file: scenario.file,
    name: scenario.name,
    seed,
    ok,
    recording: recording ?? null,
    steps: steps.map(({ step, text, result, at, message, details }) => ({
      id: `${scenario.name}:${step.line}`,
      line: step.line,
      text,
      result,
      t: String(at),
      message: message ?? null,
      details: details ?? [],
    })),
  };
}
