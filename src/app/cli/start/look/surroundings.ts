// How screens look and behave: by the command line, the environment, `[ui]` of a configuration, and
// the user's own file.

import { checkedUi } from "./file-ui.ts";
import { RULE_BOOKS } from "./rule-books.ts";
import { type LookSettings, terminalLook, type Unknown } from "./terminal-look.ts";
import { withUserFile } from "./user-look.ts";
import { Failure } from "../../common/failure.ts";
import type { FileCommand } from "../../../configuration/keys/commands.ts";
import { DEFAULT_UI, type FileUi } from "../../../configuration/schema.ts";
import { readUi } from "../../../configuration/ui.ts";
import { isOfSystem } from "../../../../kit/support/system-error.ts";
import { ownThemes } from "../../../tui/look/themes.ts";
import type { TuiOptions } from "../../../tui/app/run.ts";

/** Look and behavior of the screens. */
export interface ScreenSurroundings extends Omit<TuiOptions, "title"> {
  readonly keys: Readonly<Record<string, string>>;
  readonly commands: readonly FileCommand[];
  /** The wrong keys of the user's file, which were left out. */
  readonly note: string | undefined;
}

/**
 * Look and behavior of the screens, by the command line, the environment, the configuration and the
 * user's own file: of two that say something, the first counts.
 * @param unknown what becomes of a theme that only another session's configuration has: refused, or
 *   passed over, where a Failure would end what is running already
 * @param own whether the user's file counts
 * @throws Failure
 */
export function surroundings(
  look: LookSettings,
  configured: FileUi = DEFAULT_UI,
  unknown: Unknown = "refuse",
  own = true,
): ScreenSurroundings {
  const { ui, keys, columns, commands, note } = withUserFile(configured, own);
  const themes = ownThemes(ui.themes), terminal = terminalLook(look, themes, ui.theme, unknown);
  return {
    ...terminal,
    books: RULE_BOOKS,
    themes,
    ascii: look.ascii ?? ui.ascii ?? terminal.ascii,
    braille: ui.braille,
    painted: ui.background !== "terminal",
    motion: ui.motion !== "off",
    keys,
    columns,
    commands,
    note,
    layout: ui.layout,
    mouse: ui.mouse,
  };
}

/** `[ui]` of a configuration file; the defaults where the file cannot be read. */
export async function uiOfFile(file: string | undefined): Promise<FileUi> {
  if (file === undefined) return DEFAULT_UI;
  try {
    const ui = readUi(await Deno.readTextFile(file));
    return ui ? await checkedUi(file, ui) : DEFAULT_UI;
  } catch (error) {
    if (error instanceof Failure || error instanceof Error && isOfSystem(error)) return DEFAULT_UI;
    throw error;
  }
}
