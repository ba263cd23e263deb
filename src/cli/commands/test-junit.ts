// The results of scenarios as JUnit XML, as CI systems read it: a suite for each scenario, a case
// for each step.

import type { ScenarioResult, StepResult } from "../../scenarios/run.ts";

/** The whole file. */
export function junitReport(results: readonly ScenarioResult[]): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n${results.map(suite).join("")}</testsuites>\n`;
}

function suite({ scenario, seed, steps, elapsed }: ScenarioResult): string {
  const count = (result: StepResult["result"]) => steps.filter((step) => step.result === result).length;
  const attributes = `tests="${steps.length}" failures="${count("failed")}" skipped="${count("skipped")}" time="${
    (elapsed / 1000).toFixed(3)
  }"`;
  const cases = steps.map((step, index) => testCase(scenario.name, scenario.file, step, steps[index - 1]?.at ?? 0)).join("");
  return `  <testsuite name="${
    escape(scenario.name)
  }" ${attributes}>\n    <properties><property name="seed" value="${seed}"/></properties>\n` +
    `${cases}  </testsuite>\n`;
}

/** Times of cases are virtual: the same in every run. */
function testCase(name: string, file: string, { step, text, result, at, message = "", details = [] }: StepResult, before: number): string {
  const head = `    <testcase classname="${escape(name)}" name="${escape(text)}" file="${escape(file)}" line="${step.line}" ` +
    `time="${((at - before) / 1e9).toFixed(6)}"`;
  if (result === "ok") return `${head}/>\n`;
  const body = result === "skipped" ? "<skipped/>" : `<failure message="${escape(message)}">${escape(details.join("\n"))}</failure>`;
  return `${head}>${body}</testcase>\n`;
}

const ENTITIES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };

/** Text for XML 1.0, which has no control characters but tabs and line breaks. */
function escape(text: string): string {
  return text.replaceAll(/[&<>"]/g, (sign) => ENTITIES[sign]).replaceAll(/[\x00-\x08\x0b\x0c\x0e-\x1f]/g, "\ufffd");
}
