// The results of scenarios as JUnit XML, as CI systems read it: a suite for each scenario, a case
// for each step.

import { NamedFile } from "../../common/named-file.ts";
import type { ReportedScenario, ReportedStep } from "./test-results.ts";
import { fromXmlText, xmlText } from "../../../../kit/support/text/xml-text.ts";

/**
 * Writes the report.
 * @throws Failure
 */
export function writeJunit(file: NamedFile, results: readonly ReportedScenario[]): void {
  file.end(junitReport(results));
}

/**
 * The file that `--junit` names, made before anything runs.
 * @throws Failure
 */
export function junitFile(path: string | undefined): NamedFile | undefined {
  return path === undefined ? undefined : new NamedFile(path, "--junit");
}

function junitReport(results: readonly ReportedScenario[]): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n${results.map(suite).join("")}</testsuites>\n`;
}

function suite({ scenario, seed, steps, elapsed }: ReportedScenario): string {
  const count = (result: ReportedStep["result"]) => steps.filter((step) => step.result === result).length;
  const attributes = `tests="${steps.length}" failures="${count("failed")}" skipped="${count("skipped")}" time="${
    (elapsed / 1000).toFixed(3)
  }"`;
  const cases = steps.map((step, index) => testCase(scenario.name, scenario.file, step, steps[index - 1]?.at ?? 0)).join("");
  return `  <testsuite name="${
    xmlText(scenario.name)
  }" ${attributes}>\n    <properties><property name="seed" value="${seed}"/></properties>\n` +
    `${cases}  </testsuite>\n`;
}

/** Times of cases are virtual: the same in every run. */
function testCase(
  name: string,
  file: string,
  { step, text, result, at, message = "", details = [] }: ReportedStep,
  before: number,
): string {
  const head = `    <testcase classname="${xmlText(name)}" name="${xmlText(text)}" file="${xmlText(file)}" line="${step.line}" ` +
    `time="${((at - before) / 1e9).toFixed(6)}"`;
  if (result === "ok") return `${head}/>\n`;
  const body = result === "skipped" ? "<skipped/>" : `<failure message="${xmlText(message)}">${xmlText(details.join("\n"))}</failure>`;
  return `${head}>${body}</testcase>\n`;
}

/** Wall time (s) of each scenario in a report, by its file; undefined if it is not a report. */
export function durationsOf(report: string): Map<string, number> | undefined {
  if (!report.includes("<testsuites>")) return undefined;
  const durations = new Map<string, number>();
  let time: number | undefined;
  // Tag by tag: a report may come from anywhere, and is read once.
  for (const [tag] of report.matchAll(/<test(?:suite|case) [^<>]*>/g)) {
    const value = (name: string) => new RegExp(` ${name}="([^"]*)"`).exec(tag)?.[1];
    if (tag.startsWith("<testsuite ")) {
      const seconds = Number(value("time") || NaN);
      time = Number.isFinite(seconds) && seconds >= 0 ? seconds : undefined;
      continue;
    }
    const file = value("file");
    // The first case of a suite names its file.
    if (time !== undefined && file !== undefined) durations.set(fromXmlText(file), time);
    time = undefined;
  }
  return durations;
}
