// Where the state of a session's screens is kept: a file by the session's name in the person's
// state folder.

import { isOfSystem, writeWhole } from "../../support/cache.ts";
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
    return parseUiState(await Deno.readTextFile(file));
  } catch (error) {
    if (!isOfSystem(error)) throw error;
    return undefined;
  }
}

/** Keeps it. A folder that cannot be written costs the state and nothing else. */
export async function saveUiState(session: string, state: UiState): Promise<void> {
  const file = fileOf(session);
  if (file === undefined) return;
  try {
    await Deno.mkdir(file.slice(0, file.lastIndexOf("/")), { recursive: true });
    await writeWhole(file, JSON.stringify(state));
  } catch (error) {
    if (!(error instanceof Error) || !isOfSystem(error)) throw error;
    warn(`the layout is not kept: ${error.message}`);
  }
}
