// Results of planning in tests.

import assert from "node:assert/strict";
import type { RunResult } from "../../src/app/configuration/plan-run.ts";
import { problemText } from "../../src/kit/support/problem.ts";

/** The errors of a plan; none if it is right. */
export function planErrors(result: RunResult): string[] {
  return result.ok ? [] : result.problems.map(problemText);
}

export function assertPlanned(result: RunResult): asserts result is Extract<RunResult, { ok: true }> {
  assert.deepEqual(planErrors(result), []);
}
