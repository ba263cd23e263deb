// The results of scenarios as JUnit XML, as CI systems read it: a suite for each scenario, a case
// for each step, or for each test of the report that the step has read. The verdicts on VMs are
// properties of the case that failed; the code of the first is the type of its failure.

import { NamedFile } from "../../common/named-file.ts";
import type { ReportedCase, ReportedScenario, ReportedStep, ReportedVerdict } from "./test-results.ts";
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
  const results = steps.flatMap(({ result, cases }) => cases?.map((one) => one.result) ?? [result]);
  const count = (result: ReportedStep["result"]) => results.filter((one) => one === result).length;
  const attributes = `tests="${results.length}" failures="${count("failed")}" skipped="${count("skipped")}" time="${
    (elapsed / 1000).toFixed(3)
  }"`;
  const cases = steps.map((step, index) => stepCases(scenario, step, steps[index - 1]?.at ?? 0)).join("");
  return `  <testsuite name="${
    xmlText(scenario.name)
  }" ${attributes}>\n    <properties><property name="seed" value="${seed}"/></properties>\n` +
    `${cases}  </testsuite>\n`;
}

/** The cases of a step. Times are virtual: the same in every run. */
function stepCases(
  { name, file }: ReportedScenario["scenario"],
  { step: { line }, text, at, cases, verdicts = [], ...own }: ReportedStep,
  before: number,
): string {
  const place = { file, line }, time = (at - before) / 1e9;
  if (cases === undefined) return testCase({ ...place, suite: name, name: text, time }, own, verdicts);
  const failed = cases.findIndex(({ result }) => result === "failed");
  return cases.map(({ path, ...one }, index) => {
    // A report has no times: its first test has all of it.
    return testCase(
      { ...place, suite: [name, ...path.slice(0, -1)].join("."), name: path.at(-1) ?? text, time: index === 0 ? time : 0 },
      one,
      index === failed ? verdicts : [],
    );
  }).join("");
}

/** Where a case belongs. */
interface CasePlace {
  readonly suite: string;
  readonly name: string;
  readonly file: string;
  readonly line: number;
  readonly time: number;
}

function testCase(
  { suite, name, file, line, time }: CasePlace,
  { result, message, details = [] }: Omit<ReportedCase, "path">,
  verdicts: readonly ReportedVerdict[],
): string {
  const head = `    <testcase classname="${xmlText(suite)}" name="${xmlText(name)}" file="${xmlText(file)}" line="${line}" ` +
    `time="${time.toFixed(6)}"`;
  if (result === "ok") return `${head}/>\n`;
  const why = message === undefined ? "" : ` message="${xmlText(message)}"`;
  const body = result === "skipped"
    ? `<skipped${why}/>`
    : `<failure message="${xmlText(message ?? "")}"${typeOf(verdicts)}>${xmlText(details.join("\n"))}</failure>`;
  return `${head}>${result === "failed" ? properties(verdicts) : ""}${body}</testcase>\n`;
}

const typeOf = ([first]: readonly ReportedVerdict[]) => first ? ` type="${xmlText(first.fact.code)}"` : "";

/** `vm:rt.verdict`, `vm:rt.text` and so on; `facts`: the verdict and its evidence, as JSON. */
function properties(verdicts: readonly ReportedVerdict[]): string {
  const all = verdicts.flatMap(({ id, verdict, text, way_out, fact, because }) =>
    [
      ...[["verdict", verdict], ["code", fact.code], ["text", text], ...way_out === null ? [] : [["way_out", way_out]]],
      ["facts", JSON.stringify([fact, ...because])],
    ].map(([name, value]) => `<property name="${xmlText(`${id}.${name}`)}" value="${xmlText(value)}"/>`)
  );
  return all.length === 0 ? "" : `<properties>${all.join("")}</properties>`;
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
