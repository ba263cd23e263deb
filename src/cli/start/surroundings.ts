// How screens look and behave: by the command line, the environment, and `[ui]` of a configuration.

import { checkedUi } from "./file-ui.ts";
import { RULE_BOOKS } from "./rule-books.ts";
import { Failure } from "../common/failure.ts";
import { DEFAULT_UI, type FileUi } from "../../configuration/schema.ts";
import { readUi } from "../../configuration/ui.ts";
import { isOfSystem } from "../../support/cache.ts";
import { didYouMean } from "../../support/did-you-mean.ts";
import { showsHyperlinks } from "../../support/hyperlink.ts";
import { colorDepth } from "../../tui/color.ts";
import { withPrefix } from "../../tui/keymap.ts";
import { ownThemes } from "../../tui/own-themes.ts";
import type { TuiOptions } from "../../tui/run.ts";
import { brightByEnvironment, canBeAsked } from "../../tui/terminal-reports.ts";
import { findTheme, type Theme, THEME_NAMES } from "../../tui/themes.ts";

/** The command line's settings of the screens. */
export interface Look {
  readonly ascii?: boolean;
  /** Lines of text for screen readers. */
  readonly plain?: boolean;
  readonly color?: boolean;
  /** The name of a theme, or `auto`. */
  readonly theme?: string;
}

/**
 * Look and behavior of the screens, by the command line, the configuration and the environment.
 * @param unknown what becomes of a theme that only another session's configuration has: refused, or
 *   passed over, where a Failure would end what is running already
 * @throws Failure
 */
export function surroundings(look: Look, ui: FileUi = DEFAULT_UI, unknown: "refuse" | "pass" = "refuse"): Omit<TuiOptions, "title"> {
  const environment = (name: string) => Deno.env.get(name);
  const locale = environment("LC_ALL") || environment("LC_CTYPE") || environment("LANG") || "";
  const themes = ownThemes(ui.themes);
  return {
    depth: look.color === false ? "none" : colorDepth(environment),
    links: look.color !== false && showsHyperlinks(environment),
    books: RULE_BOOKS,
    theme: themeOf(look, ui, themes, unknown),
    themes,
    bright: brightByEnvironment(environment("COLORFGBG")),
    ask: canBeAsked(environment("TERM")),
    ascii: look.ascii ?? ui.ascii ?? !/utf-?8/i.test(locale),
    plain: look.plain,
    blocks: environment("TERM") === "linux",
    braille: ui.braille,
    painted: ui.background !== "terminal",
    motion: ui.motion !== "off",
    keys: withPrefix(ui.keys, ui.console_prefix),
    layout: ui.layout,
    mouse: ui.mouse,
    slowLink: environment("SSH_CONNECTION") !== undefined,
    tmux: environment("TMUX") !== undefined,
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

/**
 * Name of the theme that is asked for; undefined: by the terminal's background. One of a
 * configuration has been checked with that before anything ran.
 */
function themeOf(look: Look, ui: FileUi, own: readonly Theme[], unknown: "refuse" | "pass"): string | undefined {
  const variable = Deno.env.get("EL2_THEME") || undefined;
  for (const [where, name] of [[`--theme ${look.theme}`, look.theme], [`EL2_THEME=${variable}`, variable]] as const) {
    if (name === "auto") return undefined;
    if (name === undefined) continue;
    if (findTheme(name, own)) return name;
    if (unknown === "pass") continue;
    const known = ["auto", ...THEME_NAMES, ...own.map((theme) => theme.name)];
    throw new Failure(`${where}: no such theme${didYouMean(name, known, `there are ${known.join(", ")}`)}`);
  }
  return ui.theme !== undefined && findTheme(ui.theme, own) ? ui.theme : undefined;
}
