// Users' actions on the screens of a terminal: a second one, more room for a part, kept layouts.

import type { Divider } from "../screens/divider.ts";
import type { AppServices } from "./app-services.ts";
import { type MenuItem, MenuOverlay } from "./overlay.ts";

/** The actions on an application's windows. */
export class WindowActions {
  /** Layouts that the user has saved, by digit. */
  readonly #layouts = new Map<string, string>();

  constructor(readonly app: AppServices) {}

  /** Saved layouts, by digit. */
  get layouts(): Readonly<Record<string, string>> {
    return Object.fromEntries(this.#layouts);
  }

  set layouts(layouts: Readonly<Record<string, string>>) {
    for (const [digit, saved] of Object.entries(layouts)) this.#layouts.set(digit, saved);
  }

  /** The other screen gets the keys. */
  other(): void {
    const { windows, say } = this.app;
    if (windows.shown.length > 1) windows.swap();
    else say("there is one screen; ctrl-w v or s splits it");
  }

  /** Closes the screen that has the keys. */
  close(): void {
    const { windows, say } = this.app;
    if (!windows.close()) say("there is one screen; q quits");
  }

  /** Asks under which digit the layout is to be saved. */
  save(): void {
    const { windows, show, say } = this.app;
    const items = Array.from({ length: 9 }, (_, index): MenuItem => {
      const digit = String(index + 1), saved = this.#layouts.get(digit);
      return {
        key: digit,
        label: saved ? `now ${saved}` : "free",
        run: () => {
          this.#layouts.set(digit, windows.layout);
          say(`ctrl-w ${digit} now loads ${windows.layout}`);
        },
      };
    });
    show(new MenuOverlay(`save ${windows.layout} under`, items));
  }

  /** Shows a saved layout. */
  load(digit: string): void {
    const saved = this.#layouts.get(digit);
    if (saved === undefined) return this.app.say(`no layout is saved under ${digit}; save one with ctrl-w w`);
    this.app.windows.load(saved);
  }

  /**
   * More (1) or less (-1) room for the first part of a divider: that of the halves, else of panes;
   * `Left` and `Right` move a vertical one, `Up` and `Down` a horizontal one.
   */
  size(by: number, keyName: string): void {
    const { windows, say } = this.app;
    const upright = keyName === "Left" || keyName === "Right", level = keyName === "Up" || keyName === "Down";
    const suits = ({ sideBySide }: Divider) => sideBySide ? !level : !upright;
    const divider = windows.dividers.find(suits) ?? windows.dividers[0];
    if (!divider) return say("there is one pane; nothing to resize");
    windows.size(divider, (one) => one.step(by));
  }
}
