// The interface of every file of src/app/cli/commands: a function that adds its command to the
// program.

import type { Command } from "@commander-js/extra-typings";

/** The program's services to a command. */
export interface CommandContext {
  /** The program's module, for the machine's worker and for processes of sessions. */
  readonly entry: URL;
  /** Takes the exit code. */
  exit(code: number): void;
}

/** Adds a command to the program. */
export type Register = (program: Command, context: CommandContext) => void;

/** The end of a command's help: examples, each without `el2`. */
export function examplesText(examples: readonly string[]): string {
  return `\nExample${examples.length > 1 ? "s" : ""}:\n${examples.map((example) => `  el2 ${example}`).join("\n")}`;
}

/** An example of a command's help. */
export interface Example {
  /** The command line, with `el2`. */
  readonly line: string;
  /** Its effect; empty if the line alone says it. */
  readonly remark: string;
}

/** The text below the options of a command's help, in parts: paragraphs, and its examples. */
export function partsOfHelp(after: string): { readonly notes: readonly string[]; readonly examples: readonly Example[] } {
  const notes: string[] = [], examples: Example[] = [];
  for (const paragraph of after.split(/\n{2,}/).map((text) => text.replace(/^\n|\n$/g, "")).filter(Boolean)) {
    const [first, ...lines] = paragraph.split("\n");
    if (/^Examples?:$/.test(first)) examples.push(...lines.map(exampleOf));
    else notes.push(paragraph);
  }
  return { notes, examples };
}

/** A line of examples: the command, and after three spaces or more a remark. */
function exampleOf(text: string): Example {
  const [line, ...remark] = text.trim().split(/ {3,}/);
  return { line, remark: remark.join(" ") };
}
