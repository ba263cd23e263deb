// The results of scenarios as TAP, version 14.

import { output } from "../../common/print.ts";
import type { ReportedScenario, ReportedStep } from "./test-results.ts";
import { hint, hintText } from "../../../../kit/support/text/hint.ts";

const seconds = (ns: number) => (ns / 1e9).toFixed(6);

/** TAP, version 14: a test for each step. */
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
      // Text after a number sign is a directive.
      const text = `${scenario.name}: ${step.text}`.replaceAll(/[\\#]/g, (sign) => `\\${sign}`).replaceAll("\n", "\\n");
      output(`${skipped ? "ok" : ok} ${++this.#number} - ${text}${skipped}\n`);
      if (step.result === "failed") output(diagnostics(scenario, seed, step, recording));
    }
  }
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
    ...details.length ? ["details:", ...details.map((line) => `  - ${JSON.stringify(line)}`)] : [],
    ...recording === undefined
      ? []
      : [`recording: ${JSON.stringify(recording)}`, `replay: ${JSON.stringify(hintText(hint("replay", recording, { verify: true })))}`],
  ];
  return ["---", ...lines, "..."].map((line) => `  ${line}\n`).join("");
}
