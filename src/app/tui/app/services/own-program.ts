// Commands of this program beside those of its session: the screens run them aside, and show what
// they print.

import type { Question } from "../../../../model/commands/command.ts";

/** A command that the palette runs. */
export interface ProgramCommand {
  /** `trace export`. */
  readonly path: string;
  /** The same with its words: `trace export <file>`. */
  readonly usage: string;
  readonly help: string;
  /** The question before it. */
  readonly asks?: Question | undefined;
}

/** This program once more. */
export interface OwnProgram {
  /** Loads its commands: before, it seems to have none. */
  readonly load: () => Promise<void>;
  readonly commands: () => readonly ProgramCommand[];
  /** Commands whose help has all words, those of a session too, best first. */
  readonly about: (words: readonly string[]) => readonly Pick<ProgramCommand, "path" | "help">[];
  /**
   * Runs a command line about the session that is shown, until `signal`, and gives what it has
   * printed. `hear` gets each line as it comes: some commands end only with `signal`.
   */
  readonly run: (
    args: readonly string[],
    hear: (line: string) => void,
    signal: AbortSignal,
  ) => Promise<{ readonly answer: string; readonly complaint: string; readonly code: number }>;
}
