// Where the user's own commands and hooks are: `~/.config/el2/ui.toml`.

import { lstatIfThere } from "../../support/own-files.ts";

/** The file, which need not exist; undefined if the environment names no folder for it. */
export function userFile(): string | undefined {
  // Windows has another name for it.
  const home = Deno.env.get("HOME") || Deno.env.get("USERPROFILE");
  const folder = Deno.env.get("XDG_CONFIG_HOME") || (home && `${home}/.config`);
  return folder ? `${folder}/el2/ui.toml` : undefined;
}

/** Whether it exists. */
export function hasUserFile(): boolean {
  const file = userFile();
  return file !== undefined && lstatIfThere(file) !== undefined;
}
