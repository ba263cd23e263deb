// How screens look and behave: by the command line, the environment, and `[ui]` of a configuration.

import { resolve } from "node:path";
import { RULE_BOOKS } from "./rule-books.ts";
import { Failure } from "../common/failure.ts";
import { DEFAULT_UI, type FileUi } from "../../configuration/schema.ts";
import { readUi } from "../../configuration/ui.ts";
import { isOfSystem } from "../../support/cache.ts";
import { didYouMean } from "../../support/did-you-mean.ts";
import { showsHyperlinks } from "../../support/hyperlink.ts";
import { KeyClash, Keymap, withPrefix } from "../../tui/keymap.ts";
import { ownThemes, ThemeError } from "../../tui/own-themes.ts";
import { canBeAsked, colorDepth, type TuiOptions } from "../../tui/run.ts";
import { brightByEnvironment } from "../../tui/terminal-reports.ts";
import { findTheme, type Theme, THEME_NAMES } from "../../tui/themes.ts";

/** What the command line says of the screens. */
export interface Look {
  readonly ascii?: boolean;
  /** Lines of text for screen readers. */
  readonly plain?: boolean;
  readonly color?: boolean;
  /** The name of a theme, or `auto`. */
  readonly theme?: string;
}

/**
 * Checks what only the screens know of `[ui]`: keys that clash or belong to no action, colors that
 * cannot be read. @throws Failure
 */
export function checkedUi(file: string, ui: FileUi): FileUi {
  try {
    new Keymap(withPrefix(ui.keys, ui.console_prefix));
    ownThemes(ui.themes);
    return ui;
  } catch (error) {
    if (error instanceof ThemeError) throw new Failure(`${file}: ${error.message}`);
    if (!(error instanceof KeyClash)) throw error;
    throw new Failure(`${file}: [ui] ${ui.console_prefix === undefined ? "keys" : "keys and console_prefix"}: ${error.message}`);
  }
}

/** `[ui]` of a configuration file; what cannot be read counts as not said. */
export async function uiOfFile(file: string | undefined): Promise<FileUi> {
  if (file === undefined) return DEFAULT_UI;
  try {
    const ui = readUi(await Deno.readTextFile(file));
    return ui ? checkedUi(file, ui) : DEFAULT_UI;
  } catch (error) {
    if (error instanceof Failure || error instanceof Error && isOfSystem(error)) return DEFAULT_UI;
    throw error;
  }
}

/** The absolute path of what a session runs where that is a configuration. */
export function configurationOf(what: string): string | undefined {
  return what.endsWith(".toml") ? resolve(what) : undefined;
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
