// The user's own file, `~/.config/el2/ui.toml`: `[ui]` as configurations have it, the columns of
// lists, and `[[ui.command]]`. Wrong keys are left out and reported: they stop no machine.

import * as v from "valibot";
import { checkThemes, ConfigErrors, readToml, Spoilt } from "./config.ts";
import { ruled } from "../../model/plans/config-fact.ts";
import { mustBe, text } from "./keys/values.ts";
import { TomlPositions } from "./positions.ts";
import { COMMAND_KEYS, commands, type FileCommand } from "./keys/commands.ts";
import { DEFAULT_UI, type FileUi, ui } from "./schema.ts";

const columns = v.optional(
  v.record(
    v.string(),
    v.pipe(v.array(text, mustBe("a list of columns")), v.minLength(1, "has no column")),
    mustBe('a table, such as { "vm.ls" = ["id", "state"] }'),
  ),
  {},
);
const UI = v.object({ ...ui.entries, columns, command: commands }, mustBe("a table"));
const FILE = v.object({ ui: v.optional(UI, {}) });

/** Keys of its tables, by their path without indices. */
const KNOWN: Readonly<Record<string, readonly string[]>> = { "": ["ui"], ui: Object.keys(UI.entries), "ui.command": COMMAND_KEYS };

/** The content of the user's file; defaults where it says nothing. */
export interface UserFile {
  readonly ui: FileUi;
  /** Columns of the lists, in their order, by the name of their table. */
  readonly columns: Readonly<Record<string, readonly string[]>>;
  readonly commands: readonly FileCommand[];
}

/** A file that says nothing. */
const NO_USER_FILE: UserFile = { ui: DEFAULT_UI, columns: {}, commands: [] };

/** The part of the user's file that can be used, and the errors of the rest. */
export function readUserFile(content: string): { readonly file: UserFile; readonly errors: ConfigErrors } {
  const read = readToml(content), errors = new ConfigErrors(new TomlPositions("error" in read ? "" : content));
  if ("error" in read) {
    errors.found.push(read.error);
    return { file: NO_USER_FILE, errors };
  }
  unknownKeys(read.raw, [], errors);
  const { issues = [] } = v.safeParse(FILE, read.raw, { abortPipeEarly: true });
  const wrong = issues.map((issue) => (issue.path ?? []).map((item) => item.key as string | number));
  for (const [index, issue] of issues.entries()) errors.atIssue(wrong[index], issue);
  const rest = v.safeParse(FILE, new Spoilt(wrong).takenOut(read.raw));
  // `ui` itself may not be a table.
  if (!rest.success) return { file: NO_USER_FILE, errors };
  const { columns, command, ...look } = rest.output.ui;
  return { file: { ui: withThemes(look, errors), columns, commands: named(command, errors) }, errors };
}

/** Settings without themes that have a wrong name. */
function withThemes(ui: FileUi, errors: ConfigErrors): FileUi {
  const own = new ConfigErrors(errors.positions);
  checkThemes(ui, own);
  errors.found.push(...own.found);
  return own.found.length === 0 ? ui : { ...ui, theme: undefined, themes: {} };
}

/** Commands without those whose name another one has. */
function named(commands: readonly FileCommand[], errors: ConfigErrors): FileCommand[] {
  return commands.filter(({ name }, index) => {
    const isFirst = commands.findIndex((other) => other.name === name) === index;
    if (!isFirst) errors.atKey(["ui", "command"], ruled(`there are two commands ${JSON.stringify(name)}`, "change one"));
    return isFirst;
  });
}

function unknownKeys(value: unknown, path: readonly (string | number)[], errors: ConfigErrors): void {
  const known = KNOWN[path.filter((part) => typeof part === "string").join(".")];
  if (Array.isArray(value) && known) return value.forEach((one, index) => unknownKeys(one, [...path, index], errors));
  if (typeof value !== "object" || value === null || !known) return;
  for (const [key, inner] of Object.entries(value)) {
    const place = [...path, key], instead = "this file has [ui] and [[ui.command]]";
    if (known.includes(key)) unknownKeys(inner, place, errors);
    else errors.atKey(place, { code: "unknown-key", key, where: "", known, instead });
  }
}
