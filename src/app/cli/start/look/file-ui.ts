// `[ui]` of a configuration. The modules of the screens are loaded only for settings that need
// them.

import { resolve } from "node:path";
import { Failure } from "../../common/failure.ts";
import type { FileUi } from "../../../configuration/schema.ts";
import { problemOf } from "../../../../kit/support/problem.ts";

/** Whether it names keys or colors, which may be wrong in ways that only the screens know. */
export function namesKeysOrColors({ console_prefix, keys, themes }: FileUi): boolean {
  return console_prefix !== undefined || [keys, themes].some((names) => Object.keys(names).length > 0);
}

/**
 * Checks settings of `[ui]` that only the screens can: keys that clash or belong to no action,
 * illegible colors.
 * @throws Failure
 */
export async function checkedUi(file: string, ui: FileUi): Promise<FileUi> {
  if (!namesKeysOrColors(ui)) return ui;
  const { KeyClash, Keymap, withPrefix } = await import("../../../tui/actions/keymap.ts");
  const { ownThemes, ThemeError } = await import("../../../tui/look/themes.ts");
  try {
    new Keymap(withPrefix(ui.keys, ui.console_prefix));
    ownThemes(ui.themes);
    return ui;
  } catch (error) {
    if (error instanceof ThemeError) throw new Failure(problemOf(error, file));
    if (!(error instanceof KeyClash)) throw error;
    throw new Failure(problemOf(error, `${file}: [ui] ${ui.console_prefix === undefined ? "keys" : "keys and console_prefix"}`));
  }
}

/** The absolute path of what a session runs where that is a configuration. */
export function configurationOf(what: string): string | undefined {
  return what.endsWith(".toml") ? resolve(what) : undefined;
}
