// The failure of a step, and the verdict on a report that a step has read.

import type { KtapCase } from "./ktap.ts";

/** Tests of a report that a failure names; the report of the run has all. */
const FAILURES_TOLD = 10;

/** A test by its names, in one line. */
export function caseText(path: readonly string[]): string {
  return path.length === 0 ? "the report" : path.join(": ");
}

/** A step that is not as expected. */
export class StepFailure extends Error {
  constructor(message: string, readonly details: readonly string[] = [], readonly cases?: readonly KtapCase[]) {
    super(message);
  }
}

/**
 * The tests of a report, none of which failed.
 * @param broken why the step fails whatever the tests say
 * @throws StepFailure
 */
export function checkedCases(cases: readonly KtapCase[], broken: string | undefined): readonly KtapCase[] {
  const failures = cases.filter(({ result }) => result === "failed");
  if (broken === undefined && failures.length === 0) return cases;
  const names = failures.slice(0, FAILURES_TOLD).map(({ path, message = "" }) => `${caseText(path)}: ${message}`);
  const more = failures.length - names.length;
  if (more > 0) names.push(`and ${more} more`);
  const failed = failures.length === 0 ? [] : [`${failures.length} of ${cases.length} tests failed`];
  throw new StepFailure(
    [...broken === undefined ? [] : [broken], ...failed].join("; "),
    names,
    failures.length > 0 ? cases : [...cases, { path: [], result: "failed", message: broken }],
  );
}
