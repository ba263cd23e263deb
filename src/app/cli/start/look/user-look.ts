// The user's own file, `~/.config/el2/ui.toml`, below the configuration of a session. What only the
// screens know of it is checked here: keys, columns, colors. No part of it can stop a start: wrong
// ones are left out, and a note says so. No other file can have el2 run a program.

import type { ConfigErrors } from "../../../configuration/config.ts";
import { configProblem, ruled } from "../../../../model/plans/config-fact.ts";
import { problemFact } from "../../../configuration/files.ts";
import { problemText } from "../../../../kit/support/problem.ts";
import type { FileCommand } from "../../../configuration/keys/commands.ts";
import { DEFAULT_UI, type FileUi } from "../../../configuration/schema.ts";
import { readUserFile, type UserFile } from "../../../configuration/user-file.ts";
import { listed } from "../../../../model/queries/texts/list-text.ts";
import { TABLE_NAMES, TABLES } from "../../../../model/queries/tables.ts";
import { didYouMean } from "../../../../kit/support/text/did-you-mean.ts";
import { lstatIfThere, NotOurs, readTrustedText } from "../../../../kit/support/files/own-files.ts";
import { isOfSystem } from "../../../../kit/support/system-error.ts";
import { KeyClash, Keymap, withPrefix } from "../../../tui/actions/keymap.ts";
import { ownThemes, ThemeError } from "../../../tui/look/themes.ts";
import { hint, hintText } from "../../../../kit/support/text/hint.ts";

/** The user's file, which need not exist; undefined if the environment names no folder for it. */
export function userFile(): string | undefined {
  // Windows has another name for it.
  const home = Deno.env.get("HOME") || Deno.env.get("USERPROFILE");
  const folder = Deno.env.get("XDG_CONFIG_HOME") || (home && `${home}/.config`);
  return folder ? `${folder}/el2/ui.toml` : undefined;
}

/** Settings of the screens, by a configuration and the user's file. */
interface UserLook extends UserFile {
  /** Keys by the names of actions, those of the consoles' prefix as well. */
  readonly keys: Readonly<Record<string, string>>;
  /** The wrong keys of the user's file, each with its place. */
  readonly problems: readonly string[];
  /** The same as one message. */
  readonly note: string | undefined;
}

/**
 * A configuration's settings over the user's: those that are not the default count.
 * @param own whether the user's file counts
 */
export function withUserFile(configured: FileUi, own = true): UserLook {
  const path = own ? userFile() : undefined, { file, errors, refused } = read(path);
  const { ui, columns, commands } = file;
  const themes = legible(ui, errors);
  const keys = usableKeys(ui, withPrefix(configured.keys, configured.console_prefix), errors);
  const set = Object.fromEntries(Object.entries(configured).filter(([name, value]) => value !== DEFAULT_UI[name as keyof FileUi]));
  const merged = {
    columns: knownColumns(columns, errors),
    commands: usableCommands(commands, keys, errors),
    keys,
    ui: { ...ui, ...set, themes: { ...themes, ...configured.themes } },
  };
  const problems = [...refused, ...errors.sorted().map((error) => problemText(configProblem(path ?? "", error)))];
  const more = problems.length > 1 ? ` (and ${problems.length - 1} more: ${hintText(hint("doctor"))})` : "";
  return { ...merged, problems, note: problems.length ? `left out: ${problems[0]}${more}` : undefined };
}

/** The file as it can be used; `errors` of its text take more, `refused` is why it was not read. */
function read(path: string | undefined): { file: UserFile; errors: ConfigErrors; refused: readonly string[] } {
  const nothing = readUserFile("");
  try {
    if (path === undefined || lstatIfThere(path) === undefined) return { ...nothing, refused: [] };
    return { ...readUserFile(readTrustedText(path)), refused: [] };
  } catch (error) {
    if (error instanceof NotOurs || error instanceof Error && isOfSystem(error)) return { ...nothing, refused: [error.message] };
    throw error;
  }
}

/** The user's themes that can be read on their backgrounds. */
function legible({ themes }: FileUi, errors: ConfigErrors): FileUi["themes"] {
  return Object.fromEntries(
    Object.entries(themes).filter(([name, theme]) => {
      try {
        ownThemes({ [name]: theme });
        return true;
      } catch (error) {
        if (!(error instanceof ThemeError)) throw error;
        errors.atKey(["ui", "themes", name], problemFact(error));
        return false;
      }
    }),
  );
}

/** The configuration's keys, and those of the user's that clash with nothing. */
function usableKeys(
  { keys, console_prefix: prefix }: FileUi,
  configured: Readonly<Record<string, string>>,
  errors: ConfigErrors,
): Readonly<Record<string, string>> {
  const own = new Map(Object.entries(withPrefix(keys, prefix)));
  for (;;) {
    const all = { ...Object.fromEntries(own), ...configured };
    try {
      new Keymap(all);
      return all;
    } catch (error) {
      if (!(error instanceof KeyClash)) throw error;
      const name = error.names.find((one) => own.has(one) && !Object.hasOwn(configured, one));
      // The clash is the configuration's own, which was checked.
      if (name === undefined) throw error;
      own.delete(name);
      errors.atKey(Object.hasOwn(keys, name) ? ["ui", "keys", name] : ["ui", "console_prefix"], problemFact(error));
    }
  }
}

/** The lists' columns that exist. */
function knownColumns(columns: UserFile["columns"], errors: ConfigErrors): UserFile["columns"] {
  const known: Record<string, readonly string[]> = {};
  for (const [name, chosen] of Object.entries(columns)) {
    const table = TABLE_NAMES.find((one) => one === name);
    if (table === undefined) {
      const names = `list the names with ${hintText(hint("reference schema"))}`;
      errors.atKey(
        ["ui", "columns", name],
        ruled(`${JSON.stringify(name)} is not the name of a list`, didYouMean(name, TABLE_NAMES, names)),
      );
      continue;
    }
    const all = listed(TABLES[table], undefined).map(([column]) => column);
    known[name] = chosen.filter((column, index) => {
      const exists = all.includes(column);
      const hint = `use one of ${all.join(", ")}`;
      if (!exists) {
        const what = `${name} has no column ${JSON.stringify(column)}`;
        errors.atValue(["ui", "columns", name, index], ruled(what, didYouMean(column, all, hint)));
      }
      return exists;
    });
  }
  return known;
}

/** The user's commands, without keys that have another use on the same rows. */
function usableCommands(
  commands: readonly FileCommand[],
  keys: Readonly<Record<string, string>>,
  errors: ConfigErrors,
): readonly FileCommand[] {
  const keymap = new Keymap(keys);
  return commands.map((command, index) => {
    const { name, key, where } = command;
    if (key === undefined) return command;
    const both = (other: readonly string[] | undefined) => !other || !where || other.some((kind) => where.includes(kind));
    const owner = keymap.actionOf("lists", key)?.name ??
      commands.slice(0, index).find((before) => before.key === key && both(before.where))?.name;
    if (owner === undefined) return command;
    errors.atKey(["ui", "command"], ruled(`command ${name}: key ${key} is ${owner}'s`, "use another one"));
    return { ...command, key: undefined };
  });
}
