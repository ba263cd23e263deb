// The theme and the colors of an application: those asked for, those chosen on the screens, and
// those that suit the terminal's background.

import { type Look, lookFor, type LookWish } from "../../look/theme.ts";
import { findTheme, THEME_NAMES, themeOf } from "../../look/themes.ts";
import type { Theme } from "../../terminal/color-scheme.ts";

export class Looks {
  look: Look;
  /** The theme that the user has chosen on the screens, now or in an earlier run. */
  #chosen: string | undefined;
  /**
   * Name of the theme that was asked for: by the command line, the environment or the configuration
   * for this run, or by the user on the screens.
   */
  #theme: string | undefined;

  /** @param changed called when other colors are to be drawn */
  constructor(readonly wish: LookWish, readonly changed: () => void) {
    this.#theme = wish.theme;
    this.look = lookFor(wish, "direct");
  }

  get chosen(): string | undefined {
    return this.#chosen;
  }

  /** Names of the themes that can be chosen. */
  get names(): readonly string[] {
    return [...THEME_NAMES, ...(this.wish.themes ?? []).map(({ name }) => name)];
  }

  /** The user chooses a theme. */
  choose(name: string): void {
    this.#chosen = name;
    this.set(name);
  }

  /** The theme that was chosen in an earlier run; one that was asked for takes precedence. */
  restore(name: string | undefined): void {
    this.#chosen = name;
    if (!this.wish.theme && name !== undefined) this.set(name);
  }

  set(name: string): void {
    const theme = findTheme(name, this.wish.themes);
    // A theme of a configuration that has another name now.
    if (!theme) return;
    this.#theme = name;
    this.#wear(theme);
  }

  /** The terminal's background is bright, or dark: sets the theme unless one was chosen. */
  setBackground(bright: boolean): void {
    if (this.#theme === undefined) this.#wear(themeOf(bright ? "light" : "dark"));
  }

  #wear(theme: Theme): void {
    this.look = this.look.with({ theme });
    this.changed();
  }
}
