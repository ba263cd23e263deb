// Names of the program's commands, arguments and options: lists of tests name no others.

import { type CommandNode, commandTree } from "../../../src/app/cli/common/command-tree.ts";
import { makeProgram } from "../../../src/app/cli/main.ts";

const commands = new Set<string>(), args = new Set<string>(), options = new Set<string>();

function add(command: CommandNode, path: readonly string[]): void {
  commands.add(path.join(" "));
  for (const { name } of command.arguments) args.add(name.replace(/\.+$/, ""));
  for (const { long } of command.options) if (long !== undefined) options.add(long);
  for (const child of command.commands) add(child, [...path, child.name]);
}
add(commandTree(makeProgram(new URL(import.meta.url), () => {})), []);

/** The first words of all command lines. */
export const firstWords: ReadonlySet<string> = new Set([...commands].filter((name) => name !== "").map((name) => name.split(" ")[0]));

/** The commands, groups too, that a list names and the program does not have. */
export function noCommands(names: Iterable<string>): string[] {
  return [...names].filter((name) => !commands.has(name));
}

/** The options, such as `--json`, that no command has. */
export function noOptions(names: Iterable<string>): string[] {
  return [...names].filter((name) => !options.has(name));
}

/** The names that neither an argument nor an option has. */
export function noArguments(names: Iterable<string>): string[] {
  return [...names].filter((name) => !args.has(name) && !options.has(`--${name}`));
}
