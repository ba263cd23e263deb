// The user's commands for the screens, of `~/.config/el2/ui.toml`: no other file can have el2 run a
// program. Their keys are checked, and their programs end with the screens.

import { environmentValue, Programs } from "./run-program.ts";
import { Failure } from "../../common/failure.ts";
import type { FileCommand } from "../../../configuration/program-keys.ts";
import { readUserFile } from "../../../configuration/user-file.ts";
import { lstatIfThere, NotOurs, readTrustedText } from "../../../support/own-files.ts";
import { isOfSystem } from "../../../support/system-error.ts";
import { Keymap } from "../../../tui/app/keymap.ts";
import type { RowFields, RunCommand } from "../../../tui/app/own-commands.ts";

/** The part of the screens' options that commands are. */
interface CommandOptions {
  readonly commands: readonly FileCommand[];
  readonly runCommand: RunCommand;
  /** Ends programs that still run. */
  readonly close: () => Promise<void>;
}

/** The user's file, which need not exist; undefined if the environment names no folder for it. */
export function userFile(): string | undefined {
  // Windows has another name for it.
  const home = Deno.env.get("HOME") || Deno.env.get("USERPROFILE");
  const folder = Deno.env.get("XDG_CONFIG_HOME") || (home && `${home}/.config`);
  return folder ? `${folder}/el2/ui.toml` : undefined;
}

/**
 * The commands of the user's file, if there is one.
 * @param keys the user's changes of the keys
 * @throws Failure for a file that is wrong or that others can change
 */
export function ownCommands(keys: Readonly<Record<string, string>> | undefined): readonly FileCommand[] {
  const file = userFile();
  try {
    if (file === undefined || lstatIfThere(file) === undefined) return [];
    const read = readUserFile(file, readTrustedText(file));
    if ("errors" in read) throw new Failure(read.errors.join("\n     "));
    checkKeys(read.commands, keys);
    return read.commands;
  } catch (error) {
    if (error instanceof NotOurs || error instanceof Error && isOfSystem(error)) throw new Failure(error.message);
    throw error;
  }
}

/** Commands for the screens of a session. */
export function commandOptions(commands: readonly FileCommand[], session: string): CommandOptions {
  const programs = new Programs(), folder = Deno.cwd();
  return {
    commands,
    runCommand: ({ name, timeout }, run, fields) => {
      const env = { ...fields && rowEnvironment(fields), EL2_COMMAND: name, EL2_SESSION: environmentValue(session) };
      return programs.run({ run, folder, env, timeout });
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
function checkKeys(commands: readonly FileCommand[], keys: Readonly<Record<string, string>> | undefined): void {
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
