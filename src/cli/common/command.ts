// The interface of every file of src/cli/commands: a function that adds its command to the program.

import type { Command } from "@commander-js/extra-typings";

/** The program's services to a command. */
export interface CommandContext {
  /** The program's module, for the machine's worker and for processes of sessions. */
  readonly entry: URL;
  /** Takes the exit code. */
  exit(code: number): void;
  /** Runs another command line of this program. */
  run(args: readonly string[]): Promise<void>;
}

/** Adds a command to the program. */
export type Register = (program: Command, context: CommandContext) => void;

/** The end of a command's help: examples, each without `el2`. */
export function examplesText(examples: readonly string[]): string {
  return `\nExample${examples.length > 1 ? "s" : ""}:\n${examples.map((example) => `  el2 ${example}`).join("\n")}`;
}
