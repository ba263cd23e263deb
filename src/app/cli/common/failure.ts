// How a command fails: one line `el2: what; way out` on stderr, and the exit code.

import { type Answer, problemIn } from "../../../model/queries/query.ts";
import { type Said, UserError } from "../../../kit/support/problem.ts";

/** Exit codes (docs/design/workstation.md §2). */
export const ExitCode = { Done: 0, Failed: 1, Usage: 2, NoSession: 3, TimedOut: 4, ReadOnly: 5, Interrupted: 130 } as const;

/** An error that ends the command; anything else that is thrown is a bug of ours. */
export class Failure extends UserError {
  constructor(said: Said, wayOut?: string, readonly code: number = ExitCode.Usage) {
    super(said, wayOut);
  }
}

/** The failure of a command that was given rightly. */
export function failed(said: Said, wayOut?: string): Failure {
  return new Failure(said, wayOut, ExitCode.Failed);
}

/** @throws Failure if a session has no answer to a query, with this exit code */
export function checkAnswered(answer: Answer, code: number = ExitCode.Failed): void {
  const problem = problemIn(answer);
  if (problem !== undefined) throw new Failure(problem, undefined, code);
}
