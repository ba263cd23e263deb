// How a command fails: one line `el2: what: rule; way out` on stderr, and the exit code.

/** Exit codes (docs/design/workstation.md §2). */
export const ExitCode = { Done: 0, Failed: 1, Usage: 2, NoSession: 3, TimedOut: 4, ReadOnly: 5, Interrupted: 130 } as const;

/** An error that is the user's to mend; anything else that is thrown is a bug of ours. */
export class Failure extends Error {
  constructor(message: string, readonly code: number = ExitCode.Usage) {
    super(message);
  }
}

/** The parts of such a line: the way out follows the last semicolon; null if there is none. */
export function splitFailure(text: string): { message: string; wayOut: string | null } {
  const at = text.lastIndexOf("; ");
  return at < 0 ? { message: text, wayOut: null } : { message: text.slice(0, at), wayOut: text.slice(at + 2) };
}
