// `el2 test FILE..`: runs scenarios, and says in TAP what became of each step.

import type { Command } from "@commander-js/extra-typings";
import { durationsOf, junitFile, writeJunit } from "./test-junit.ts";
import { registerTestMerge } from "./test-merge.ts";
import { beginShard, reported, type ReportedScenario, writeShard } from "./test-results.ts";
import { parseShard, shardOf } from "./test-shard.ts";
import { Tap } from "./test-tap.ts";
import type { CommandContext } from "../../common/command.ts";
import { ExitCode, Failure } from "../../common/failure.ts";
import { readNamedFile } from "../../common/named-file.ts";
import { Jobs } from "../../../jobs/run-job.ts";
import { output, report } from "../../common/print.ts";
import { parseDuration, parseWhole } from "../../common/values.ts";
import { hostOption } from "../../options/host.ts";
import { hostConsent } from "../../start/plans/consent.ts";
import { documentText, TESTED } from "../../../../model/queries/documents.ts";
import type { KeptPrompts } from "../../../scenarios/kept-prompts.ts";
import { alone } from "../../../../model/plans/plan.ts";
import { recordPast } from "../../../../session/recordings/file/recording-writer.ts";
import type { ScenarioResult } from "../../../scenarios/run-terms.ts";
import { readScenario, type Scenario, ScenarioError } from "../../../scenarios/scenario.ts";
import { cannotRead, readToEnd } from "../../../../kit/support/files/named-file.ts";
import { followParent } from "../../../../kit/support/computer/launcher.ts";
import { problemOf } from "../../../../kit/support/problem.ts";
import { type Exits, exitsText, withExits } from "../../common/command-tree.ts";

const EXITS: Exits = {
  codes: { 0: "every step passed", 1: "a step failed", 2: "a file is not a scenario, and nothing was run" },
};

export function registerTest(program: Command, { entry, exit }: CommandContext): void {
  const test = withExits(program.command("test"), EXITS)
    .description("run scenarios: scripted runs with assertions on consoles, events, reasons and state; prints TAP")
    .argument("<file...>", "scenarios (TOML, docs/scenarios.md)")
    .option("--seed <n>", "seed of the machine; overrides scenario and configuration", parseWhole(0, 2 ** 32 - 1))
    .option("--junit <file>", "also write the results as JUnit XML")
    .option("--json", "print the results as JSON instead of TAP, one line per scenario")
    .option("--recordings <folder>", "folder for recordings of failed scenarios (default: the folder of --results, else .)")
    .option("--timeout <time>", "fail a scenario after this much wall time", parseDuration)
    .addOption(hostOption())
    .option("--shard <i/n>", "run only part I of N, such as 2/3; the parts together run all files", parseShard)
    .option("--durations <file>", "balance the parts by the JUnit XML of an earlier run")
    .option("--results <folder>", "write the results and recordings of this part for el2 test merge")
    .addHelpText(
      "after",
      `
${exitsText(EXITS)}

Examples:
  el2 test examples/demo.test.toml
  el2 test tests/*.test.toml --junit results.xml
  el2 test bug.test.toml --seed 7
  el2 test tests/*.test.toml --shard 2/3 --durations results.xml --results parts/2`,
    )
    .action(async (files, options) => {
      const { index, count } = options.shard ?? { index: 1, count: 1 };
      const durations = options.durations === undefined ? new Map<string, number>() : readDurations(options.durations);
      const scenarios = shardOf(files, index, count, durations).map(read);
      using junit = junitFile(options.junit);
      if (options.results !== undefined) beginShard(options.results);
      const recordings = options.recordings ?? options.results ?? ".";
      followParent();
      const results: ReportedScenario[] = [];
      const report = options.json ? undefined : new Tap(scenarios);
      Jobs.startFirst(entry, "scenario");
      using jobs = new Jobs(entry);
      const { KeptPrompts } = await import("../../../scenarios/kept-prompts.ts"), prompts = new KeptPrompts();
      for (const scenario of scenarios) {
        const { result, recording } = await runOne({ jobs, prompts }, scenario, { ...options, recordings });
        results.push(reported(result, recording));
        if (report) report.scenario(results.at(-1)!, recording);
        else output(`${documentText(TESTED, jsonOf(result, recording))}\n`);
      }
      if (junit) writeJunit(junit, results);
      if (options.results !== undefined) writeShard(options.results, { index, count, files, results });
      exit(results.every(({ ok }) => ok) ? ExitCode.Done : ExitCode.Failed);
    });
  registerTestMerge(test, exit);
}

interface RunOptions {
  readonly seed?: number;
  readonly timeout?: number;
  readonly recordings: string;
  readonly allowHost?: readonly string[];
}

function read(file: string): Scenario {
  let text: string;
  try {
    text = new TextDecoder().decode(readToEnd(file));
  } catch (error) {
    const wayOut = error instanceof Deno.errors.IsADirectory ? "name the files in it" : undefined;
    throw new Failure(cannotRead(error, `scenario ${file}`), wayOut);
  }
  try {
    return readScenario(file, text);
  } catch (error) {
    if (!(error instanceof ScenarioError)) throw error;
    throw new Failure(problemOf(error));
  }
}

/** The common part of the scenarios of a command. */
interface Shared {
  readonly jobs: Jobs;
  readonly prompts: KeptPrompts;
}

/** Runs a scenario; the path of its recording where it failed. */
async function runOne(shared: Shared, scenario: Scenario, options: RunOptions) {
  const { recordings } = options, { result, failed } = await outcomeOf(shared, scenario, options);
  if (failed === undefined) return { result, recording: undefined };
  const recording = `${recordings}/${scenario.name.replaceAll(/[^A-Za-z0-9._-]+/g, "-")}.rec`;
  try {
    await Deno.mkdir(recordings, { recursive: true });
    await recordPast(recording, failed.plan, failed.past);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    report(`el2: --recordings ${recordings}: ${error.message}; name another folder`);
    return { result, recording: undefined };
  }
  return { result, recording };
}

/** Runs a scenario with a kept state of its prompt, or from the start. */
async function outcomeOf({ jobs, prompts }: Shared, scenario: Scenario, { seed, timeout, allowHost }: RunOptions) {
  for (;;) {
    const planned = await plannedOf(scenario, seed, allowHost, prompts), { plan, kept } = planned;
    const outcome = await jobs.run({
      name: "scenario",
      input: { planned, timeout: timeout === undefined ? undefined : timeout / 1e6 },
      plans: [{ ...alone(plan), instant: kept?.path }],
      moved: true,
      given: kept?.bytes,
      hear: ({ step, at }) => report(`el2: ${scenario.file}:${step.line}: t=${(at / 1e9).toFixed(3)}s`),
    });
    if ("result" in outcome) {
      if (kept) prompts.left(kept);
      return outcome;
    }
    const [{ line }] = scenario.steps;
    report(`el2: ${scenario.file}:${line}: the guest boots again: it did not take the changed files (${outcome.undelivered})`);
    // Without the state, nothing is delivered.
    if (kept) prompts.refuse(kept);
  }
}

async function plannedOf(scenario: Scenario, seed: number | undefined, allowHost: RunOptions["allowHost"], prompts: KeptPrompts) {
  const { planScenario } = await import("../../../scenarios/plan-scenario.ts");
  try {
    return await planScenario(scenario, seed, hostConsent(allowHost), prompts);
  } catch (error) {
    if (!(error instanceof ScenarioError)) throw error;
    throw new Failure(problemOf(error));
  }
}

function readDurations(file: string): Map<string, number> {
  const durations = durationsOf(new TextDecoder().decode(readNamedFile(file, "--durations")));
  if (durations) return durations;
  throw new Failure(`--durations ${file}: not a report of test --junit`);
}

function jsonOf({ scenario, seed, ok, steps }: ScenarioResult, recording: string | undefined) {
  return {
    file: scenario.file,
    name: scenario.name,
    seed,
    ok,
    recording: recording ?? null,
    steps: steps.map(({ step, text, result, at, message, details, verdicts, cases }) => ({
      id: `${scenario.name}:${step.line}`,
      line: step.line,
      text,
      result,
      t: String(at),
      message: message ?? null,
      details: details ?? [],
      verdicts: verdicts ?? [],
      ...cases &&
        { cases: cases.map(({ path, result, message, details }) => ({ path, result, message: message ?? null, details: details ?? [] })) },
    })),
  };
}
