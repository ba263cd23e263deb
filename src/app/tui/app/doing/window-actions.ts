// Users' actions on the dividers of panes.

import type { Divider } from "../../screens/divider.ts";
import type { AppServices } from "../services/app-services.ts";
import type { GroupHandlers } from "../../actions/action-handlers.ts";

/** The actions on an application's windows. */
export class WindowActions {
  readonly handlers = {
    "window.grow": ({ name }) => this.#size(1, name),
    "window.shrink": ({ name }) => this.#size(-1, name),
    "window.even": () => this.app.windows.even(),
  } satisfies GroupHandlers;

  constructor(readonly app: AppServices) {}

  /**
   * More (1) or less (-1) room for the first part of a divider; `Left` and `Right` move a vertical
   * one, `Up` and `Down` a horizontal one.
   */
  #size(by: number, keyName: string): void {
    const { windows, say } = this.app;
    const upright = keyName === "Left" || keyName === "Right", level = keyName === "Up" || keyName === "Down";
    const suits = ({ sideBySide }: Divider) => sideBySide ? !level : !upright;
    const divider = windows.dividers.find(suits) ?? windows.dividers[0];
    if (!divider) return say("there is one pane; nothing to resize");
    windows.size(divider, (one) => one.step(by));
  }
}
