// The results of scenarios as TAP, version 14.

import { output } from "../../common/print.ts";
import { caseText } from "../../../scenarios/step-failure.ts";
import type { ReportedCase, ReportedScenario, ReportedStep } from "./test-results.ts";
import { hint, hintText } from "../../../../kit/support/text/hint.ts";

const seconds = (ns: number) => (ns / 1e9).toFixed(6);

/** Text after a number sign is a directive. */
const escaped = (text: string) => text.replaceAll(/[\\#]/g, (sign) => `\\${sign}`).replaceAll("\n", "\\n");

/** TAP, version 14: a test for each step, and a subtest for each test of a report. */
export class Tap {
  #number = 0;

  constructor(scenarios: readonly { readonly steps: readonly unknown[] }[]) {
    output(`TAP version 14\n1..${scenarios.reduce((sum, { steps }) => sum + steps.length, 0)}\n`);
  }

  scenario({ scenario, seed, steps }: ReportedScenario, recording: string | undefined): void {
    output(`# ${scenario.file}: seed ${seed}\n`);
    for (const step of steps) {
      const ok = step.result === "ok" ? "ok" : "not ok";
      const skipped = step.result === "skipped" ? " # SKIP a step before it failed" : "";
      const text = escaped(`${scenario.name}: ${step.text}`);
      if (step.cases) output(subtests(text, step.cases));
      output(`${skipped ? "ok" : ok} ${++this.#number} - ${text}${skipped}\n`);
      if (step.result === "failed") output(diagnostics(scenario, seed, step, recording));
    }
  }
}

/** The tests of a report, before the result of their step. */
function subtests(name: string, cases: readonly ReportedCase[]): string {
  const lines = cases.flatMap(({ path, result, message, details = [] }, index) => {
    const head = `${result === "failed" ? "not ok" : "ok"} ${index + 1} - ${escaped(caseText(path))}`;
    if (result !== "failed") return [result === "skipped" ? `${head} # SKIP${message === undefined ? "" : ` ${escaped(message)}`}` : head];
    return [head, ...yaml([`message: ${JSON.stringify(message)}`, ...detailLines(details)])];
  });
  return [`# Subtest: ${name}`, `1..${cases.length}`, ...lines].map((line) => `    ${line}\n`).join("");
}

function detailLines(details: readonly string[]): string[] {
  return details.length > 0 ? ["details:", ...details.map((line) => `  - ${JSON.stringify(line)}`)] : [];
}

function yaml(lines: readonly string[]): string[] {
  return ["---", ...lines, "..."].map((line) => `  ${line}`);
}

/** The YAML block after a failure. */
function diagnostics(
  { file }: ReportedScenario["scenario"],
  seed: number,
  { step, at, message, details = [] }: ReportedStep,
  recording: string | undefined,
): string {
  const lines = [
    `message: ${JSON.stringify(message)}`,
    `at: ${JSON.stringify(`${file}:${step.line}`)}`,
    `t: ${seconds(at)}`,
    `seed: ${seed}`,
    ...detailLines(details),
    ...recording === undefined
      ? []
      : [`recording: ${JSON.stringify(recording)}`, `replay: ${JSON.stringify(hintText(hint("replay", recording, { verify: true })))}`],
  ];
  return yaml(lines).map((line) => `${line}\n`).join("");
}
