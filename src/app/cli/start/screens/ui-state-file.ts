// The file with the state of a session's screens, by the session's name and the path of its
// configuration, in the user's state folder.

import { isOfSystem } from "../../../../kit/support/system-error.ts";
import { checkTrustedFolder, NotOurs } from "../../../../kit/support/files/own-files.ts";
import { sha256 } from "../../../../kit/support/values/sha256.ts";
import { stateFolder } from "../../../../kit/support/files/state-folder.ts";
import { writeWhole } from "../../../../kit/support/files/whole-file.ts";
import { warn } from "../../../../kit/support/warn.ts";
import { parseUiState, type UiState } from "../../../tui/app/services/ui-state.ts";

/** Digits of a path's digest in the file's name. */
const DIGITS = 16;

/** The file; undefined without a folder for it. */
async function fileOf(session: string, configuration: string | undefined): Promise<string | undefined> {
  const folder = stateFolder("ui");
  // Configurations of one name in two folders are two sets of screens.
  const which = configuration === undefined ? "" : `@${(await sha256(new TextEncoder().encode(configuration))).slice(0, DIGITS)}`;
  return folder ? `${folder}/${session}${which}.json` : undefined;
}

/**
 * The kept state, if any.
 * @param configuration the absolute path of the session's configuration, if it has one
 */
export async function loadUiState(session: string, configuration: string | undefined): Promise<UiState | undefined> {
  const file = await fileOf(session, configuration);
  if (file === undefined) return undefined;
  try {
    checkTrustedFolder(file.slice(0, file.lastIndexOf("/")));
    return parseUiState(await Deno.readTextFile(file));
  } catch (error) {
    if (!(error instanceof NotOurs) && !isOfSystem(error)) throw error;
    return undefined;
  }
}

/** Keeps it. If the folder cannot be written, only the state is lost. */
export async function saveUiState(session: string, configuration: string | undefined, state: UiState): Promise<void> {
  const file = await fileOf(session, configuration);
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
