// How a command fails: one line `el2: what: rule; way out` on stderr, and the exit code.

/** Exit codes (WORKSTATION section 2). */
export const ExitCode = { Done: 0, Failed: 1, Usage: 2, NoSession: 3, TimedOut: 4, ReadOnly: 5, Interrupted: 130 } as const;

/** An error that is the user's to mend; anything else that is thrown is a bug of ours. */
export class Failure extends Error {
  constructor(message: string, readonly code: number = ExitCode.Usage) {
    super(message);
  }
}

/** Reads a file that a flag or argument names. Throws a Failure that names both. */
export function readNamedFile(path: string, what: string): Uint8Array<ArrayBuffer> {
  try {
    return Deno.readFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) throw new Failure(`${what} ${path}: no such file`);
    if (error instanceof Deno.errors.PermissionDenied || error instanceof Deno.errors.NotCapable) {
      throw new Failure(`${what} ${path}: not readable: ${error.message}`);
    }
    if (error instanceof Deno.errors.IsADirectory) throw new Failure(`${what} ${path}: is a folder`);
    throw error;
  }
}
