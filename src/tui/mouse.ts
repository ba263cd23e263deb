// The mouse: clicks give a pane the keys, a second one is Enter, the wheel scrolls, dividers are
// dragged.

import type { ConsoleActions } from "./console-actions.ts";
import type { Divider } from "./divider.ts";
import type { Host } from "./host.ts";
import type { Placed } from "./screen-model.ts";

/** Two clicks at one place within so many ms are Enter. */
const DOUBLE_CLICK = 400;
/** Rows of one step of the wheel. */
const WHEEL = 3;

/** What it needs of the application. */
export interface MouseHost extends Host {
  readonly consoles: ConsoleActions;
  /** Wall time in ms. */
  readonly clock: () => number;
  /** Enter. */
  readonly enter: () => void;
}

/** The mouse of an application. */
export class Mouse {
  #dragged: Divider | undefined;
  /** The last click: where, and when. */
  #clicked = { x: -1, y: -1, at: -Infinity };

  constructor(readonly host: MouseHost) {}

  /** Takes what the mouse did at a cell: `Click`, `Release`, `Drag`, `WheelUp` or `WheelDown`. */
  take(what: string, x: number, y: number): void {
    const { windows } = this.host;
    if (what === "Drag") {
      if (this.#dragged) windows.size(this.#dragged, (divider) => divider.moveTo(x, y));
      return;
    }
    this.#dragged = what === "Click" ? windows.dividers.find((divider) => divider.isAt(x, y)) : undefined;
    const inside = ({ area }: Placed) => x >= area.x && y >= area.y && x < area.x + area.width && y < area.y + area.height;
    const placed = windows.visible.find(inside);
    if (!placed) return;
    if (what === "Click") this.#click(placed, x, y);
    else if (what === "WheelUp" || what === "WheelDown") placed.pane.move(what === "WheelUp" ? -WHEEL : WHEEL);
  }

  #click({ pane, area }: Placed, x: number, y: number): void {
    const { windows, console, tree, consoles, clock, enter } = this.host;
    console.typing = console.typing && pane === console;
    windows.focusOn(pane);
    pane.click(y - area.y - 1);
    if (pane === tree) consoles.preferSelected();
    const now = clock(), last = this.#clicked;
    const again = last.x === x && last.y === y && now - last.at < DOUBLE_CLICK;
    this.#clicked = again ? { x: -1, y: -1, at: -Infinity } : { x, y, at: now };
    if (again && pane !== console) enter();
  }
}
