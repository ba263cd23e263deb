// The user's commands for the screens: their programs end with the screens.

import { environmentValue, Programs } from "./run-program.ts";
import type { FileCommand } from "../../../configuration/keys/commands.ts";
import type { RowFields, RunCommand } from "../../../tui/app/doing/own-commands.ts";

/** The part of the screens' options that commands are. */
interface CommandOptions {
  readonly commands: readonly FileCommand[];
  readonly runCommand: RunCommand;
  /** Ends programs that still run. */
  readonly close: () => Promise<void>;
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
