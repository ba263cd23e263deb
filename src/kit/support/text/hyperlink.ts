// Hyperlinks of terminals: OSC 8, a sequence before and after the text
// (https://gist.github.com/egmontkob/eb114294efbcd5adb1944c9f3cb5feda).

/** Programs that are terminals with hyperlinks, as TERM_PROGRAM names them. */
const PROGRAMS: ReadonlySet<string> = new Set(["iTerm.app", "WezTerm", "vscode", "ghostty", "Hyper", "rio", "tmux"]);
/** Variables that only terminals with hyperlinks set. */
const SIGNS = ["KITTY_WINDOW_ID", "WT_SESSION", "KONSOLE_VERSION", "TMUX", "DOMTERM"] as const;
/** Terminals that TERM names. */
const TERMS = /^(?:xterm-kitty|xterm-ghostty|alacritty|foot|contour|wezterm|mlterm)/;
/** The first VTE with hyperlinks that a control character cannot confuse: 0.50. */
const VTE = 5000;

/**
 * Whether the terminal that the environment describes shows hyperlinks. Others could print the
 * target as text, so that an unknown terminal gets none; FORCE_HYPERLINK decides where it is set.
 */
export function showsHyperlinks(environment: (name: string) => string | undefined): boolean {
  const forced = environment("FORCE_HYPERLINK");
  if (forced) return forced !== "0";
  if (environment("NO_COLOR") || environment("TERM") === "dumb") return false;
  return PROGRAMS.has(environment("TERM_PROGRAM") ?? "") || SIGNS.some((name) => environment(name)) ||
    TERMS.test(environment("TERM") ?? "") || Number(environment("VTE_VERSION")) >= VTE;
}

/** A target in characters that cannot end the sequence: others than printable ASCII are encoded. */
export function linkTarget(target: string): string {
  return target.replaceAll(/[^\x21-\x7e]+/g, (part) => encodeURIComponent(part.toWellFormed()));
}

/** Start and end of a hyperlink. */
export const beginLink = (target: string) => `\x1b]8;;${linkTarget(target)}\x1b\\`;
export const LINK_END = "\x1b]8;;\x1b\\";
