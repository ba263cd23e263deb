// How screens look by the command line and the environment alone.

import { Failure } from "../../common/failure.ts";
import { didYouMeanOneOf } from "../../../../kit/support/text/did-you-mean.ts";
import { showsHyperlinks } from "../../../../kit/support/text/hyperlink.ts";
import { characterLocale } from "../../../../kit/support/text/locale.ts";
import { type ColorDepth, colorDepth } from "../../../tui/terminal/color.ts";
import { escapeWait } from "../../../tui/terminal/read-keys.ts";
import { brightByEnvironment, canBeAsked } from "../../../tui/terminal/terminal-reports.ts";
import type { Theme } from "../../../tui/terminal/color-scheme.ts";
import { findTheme, THEME_NAMES } from "../../../tui/look/themes.ts";

/** The command line's settings of the screens. */
export interface LookSettings {
  readonly ascii?: boolean;
  /** Lines of text for screen readers. */
  readonly plain?: boolean;
  /** The name of a theme, or `auto`. */
  readonly theme?: string;
}

/** Handling of a theme that nobody knows. */
export type Unknown = "refuse" | "pass";

/** Look and behavior of the screens, by the command line and the environment. */
interface TerminalLook {
  readonly depth: ColorDepth;
  readonly links: boolean;
  /** The theme that is asked for; undefined: by the terminal's background. */
  readonly theme: string | undefined;
  readonly bright: boolean | undefined;
  readonly ask: boolean;
  readonly ascii: boolean;
  readonly plain: boolean | undefined;
  readonly blocks: boolean;
  readonly slowLink: boolean;
  readonly escapeWait: number;
  readonly tmux: boolean;
  /** Name of the terminal. */
  readonly term: string | undefined;
}

/**
 * Look and behavior of the screens, by the command line and the environment.
 * @param own themes of a configuration
 * @param wanted the theme that a configuration asks for
 * @throws Failure
 */
export function terminalLook(look: LookSettings, own: readonly Theme[] = [], wanted?: string, unknown: Unknown = "refuse"): TerminalLook {
  const environment = (name: string) => Deno.env.get(name);
  return {
    depth: colorDepth(environment),
    links: showsHyperlinks(environment),
    theme: themeOf(look, own, wanted, unknown),
    bright: brightByEnvironment(environment("COLORFGBG")),
    ask: canBeAsked(environment("TERM")),
    ascii: look.ascii ?? (environment("TERM") === "dumb" || !characterLocale(environment).utf8),
    plain: look.plain,
    blocks: environment("TERM") === "linux",
    slowLink: environment("SSH_CONNECTION") !== undefined,
    escapeWait: escapeWait(environment),
    tmux: environment("TMUX") !== undefined,
    term: environment("TERM"),
  };
}

/**
 * Name of the theme that is asked for; undefined: by the terminal's background. One of a
 * configuration has been checked with that before anything ran.
 */
function themeOf(look: LookSettings, own: readonly Theme[], wanted: string | undefined, unknown: Unknown): string | undefined {
  const variable = Deno.env.get("EL2_THEME") || undefined;
  for (const [where, name] of [[`--theme ${look.theme}`, look.theme], [`EL2_THEME=${variable}`, variable]] as const) {
    if (name === "auto") return undefined;
    if (name === undefined) continue;
    if (findTheme(name, own)) return name;
    if (unknown === "pass") continue;
    const known = ["auto", ...THEME_NAMES, ...own.map((theme) => theme.name)];
    throw new Failure(`${where}: no such theme`, didYouMeanOneOf(name, known));
  }
  return wanted !== undefined && findTheme(wanted, own) ? wanted : undefined;
}
