// Where the state of a session's screens is kept: a file by the session's name in the person's
// state folder.

import { isOfSystem } from "../../support/cache.ts";
import { checkTrustedFolder, NotOurs } from "../../support/own-files.ts";
import { writeWhole } from "../../support/whole-file.ts";
import { warn } from "../../support/warn.ts";
import { parseUiState, type UiState } from "../../tui/ui-state.ts";

/** The file; undefined where there is no place for it. */
function fileOf(session: string): string | undefined {
  const home = Deno.env.get("HOME");
  const folder = Deno.env.get("XDG_STATE_HOME") || (home && `${home}/.local/state`);
  return folder ? `${folder}/el2/ui/${session}.json` : undefined;
}

/** What was kept, if anything was. */
export async function loadUiState(session: string): Promise<UiState | undefined> {
  const file = fileOf(session);
  if (file === undefined) return undefined;
  try {
    checkTrustedFolder(file.slice(0, file.lastIndexOf("/")));
    return parseUiState(await Deno.readTextFile(file));
  } catch (error) {
    if (!(error instanceof NotOurs) && !isOfSystem(error)) throw error;
    return undefined;
  }
}

/** Keeps it. A folder that cannot be written costs the state and nothing else. */
export async function saveUiState(session: string, state: UiState): Promise<void> {
  const file = fileOf(session);
  if (file === undefined) return;
  try {
    const folder = file.slice(0, file.lastIndexOf("/"));
    await Deno.mkdir(folder, { recursive: true, mode: 0o700 });
    checkTrustedFolder(folder);
    writeWhole(file, JSON.stringify(state));
  } catch (error) {
    if (!(error instanceof Error) || !(error instanceof NotOurs) && !isOfSystem(error)) throw error;
    warn(`cannot save the layout: ${error.message}`);
  }
}
