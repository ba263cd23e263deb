// The failure of a command, which a job of it can be the reason of, and the exit codes.

import { type Said, UserError } from "../../kit/support/problem.ts";
import type { WayOut } from "../../kit/support/text/way-out.ts";

/** Exit codes (docs/design/workstation.md §2). */
export const ExitCode = { Done: 0, Failed: 1, Usage: 2, NoSession: 3, TimedOut: 4, ReadOnly: 5, Interrupted: 130 } as const;

/** An error that ends the command; anything else that is thrown is a bug of ours. */
export class Failure extends UserError {
  constructor(said: Said, wayOut?: WayOut, readonly code: number = ExitCode.Usage) {
    super(said, wayOut);
  }
}
