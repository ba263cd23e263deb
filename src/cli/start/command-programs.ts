// The user's commands for the screens: their keys are checked, and their programs end with the
// screens.

import type { OwnCommand, OwnPrograms } from "./own-programs.ts";
import { environmentValue, Programs } from "./run-program.ts";
import { Failure } from "../common/failure.ts";
import { Keymap } from "../../tui/app/keymap.ts";
import type { RowFields, RunCommand, UserCommand } from "../../tui/app/own-commands.ts";

/** The part of the screens' options that commands are. */
export interface CommandOptions {
  readonly commands: readonly OwnCommand[];
  readonly runCommand: RunCommand;
  /** Ends programs that still run. */
  readonly close: () => Promise<void>;
}

/**
 * Commands for the screens of a session.
 * @param keys the user's changes of the keys
 * @throws Failure if a key of a command has another use
 */
export function commandOptions(
  { commands }: Pick<OwnPrograms, "commands">,
  session: string,
  keys: Readonly<Record<string, string>> | undefined,
): CommandOptions {
  checkCommandKeys(commands, keys);
  const programs = new Programs(), folders = new Map<UserCommand, string>(commands.map((command) => [command, command.folder]));
  return {
    commands,
    runCommand: (command, run, fields) => {
      const env = { ...fields && rowEnvironment(fields), EL2_COMMAND: command.name, EL2_SESSION: environmentValue(session) };
      return programs.run({ run, folder: folders.get(command) ?? Deno.cwd(), env, timeout: command.timeout });
    },
    close: () => programs.close(),
  };
}

/** The fields of a row as variables. */
function rowEnvironment(fields: RowFields): Record<string, string> {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [`EL2_ROW_${name.toUpperCase()}`, environmentValue(value)]));
}

/**
 * Checks that a key means one thing on a row.
 * @throws Failure
 */
export function checkCommandKeys(commands: readonly OwnCommand[], keys: Readonly<Record<string, string>> | undefined): void {
  const keymap = new Keymap(keys);
  for (const [index, { name, key, where }] of commands.entries()) {
    if (key === undefined) continue;
    const action = keymap.actionOf("lists", key);
    if (action) throw new Failure(`command ${name}: key ${key} is ${action.name}'s; use another one`);
    const both = (other: readonly string[] | undefined) => !other || !where || other.some((kind) => where.includes(kind));
    const other = commands.slice(0, index).find((before) => before.key === key && both(before.where));
    if (other) throw new Failure(`command ${name}: key ${key} is command ${other.name}'s, too; change one`);
  }
}
