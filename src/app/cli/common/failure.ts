// How a command fails: one line `el2: what; way out` on stderr, and the exit code.

import { ExitCode, Failure } from "../../jobs/failure.ts";
import { type Answer, problemIn } from "../../../model/queries/query.ts";
import { type Problem, type Said, within } from "../../../kit/support/problem.ts";
import { GAPS } from "../../../model/queries/facts/gap.ts";
import type { WayOut } from "../../../kit/support/text/way-out.ts";

export { ExitCode, Failure };

/** The failure of a command that was given rightly. */
export function failed(said: Said, wayOut?: WayOut): Failure {
  return new Failure(said, wayOut, ExitCode.Failed);
}

/** The failure of a command whose file the session writes. */
export function unsaved(command: string, error: Problem): Failure {
  return new Failure(within(command, error), undefined, error.ofFile ? ExitCode.Usage : ExitCode.Failed);
}

/** @throws Failure if nothing could be read of what an answer is about */
export function checkRead({ gaps = [] }: Answer): void {
  const nothing = gaps.find(({ code }) => code === "no-kernel");
  if (nothing) throw new Failure(GAPS.problem(nothing), undefined, ExitCode.Failed);
}

/** @throws Failure if a session has no answer to a query, with this exit code */
export function checkAnswered(answer: Answer, code: number = ExitCode.Failed): void {
  const problem = problemIn(answer);
  if (problem !== undefined) throw new Failure(problem, undefined, code);
}
