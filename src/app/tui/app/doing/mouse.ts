// The mouse: clicks give a pane the keys and choose rows, tabs and orders, a second one is Enter,
// or zooms a pane by its title; the wheel scrolls; dividers and the scrubber are dragged.

import { isBox, isInside } from "../../look/box.ts";
import type { ConsoleActions } from "./console-actions.ts";
import type { Divider } from "../../screens/divider.ts";
import type { AppServices } from "../services/app-services.ts";
import type { Placed } from "../../screens/screen-model.ts";

/** Two clicks at one place within this many ms are Enter. */
const DOUBLE_CLICK = 400;
/** Rows of one step of the wheel. */
export const WHEEL = 3;

/** Services that these actions use. */
export interface MouseServices extends AppServices {
  readonly consoles: ConsoleActions;
  /** Wall time in ms. */
  readonly clock: () => number;
  readonly enter: () => void;
  /** The key of the screen whose tab is at a cell. */
  readonly tabAt: (x: number, y: number) => string | undefined;
  /** The time (ns) at a cell of the scrubber; undefined if none is. */
  readonly timeAt: (x: number, y: number) => number | undefined;
  /** Points at a time of the run, and goes there once the button is released. */
  readonly point: (time: number) => void;
  readonly goThere: () => void;
}

/** The mouse of an application. */
export class Mouse {
  #dragged: Divider | undefined;
  /** The row of the scrubber while it is dragged. */
  #scrubbing: number | undefined;
  /** The last click: where, and when. */
  #clicked = { x: -1, y: -1, at: -Infinity };

  constructor(readonly app: MouseServices) {}

  /** Takes what the mouse did at a cell: `Click`, `Release`, `Drag`, `WheelUp` or `WheelDown`. */
  press(what: string, x: number, y: number): void {
    const { windows, tabAt } = this.app;
    if (this.#scrub(what, x, y)) return;
    const tab = what === "Click" ? tabAt(x, y) : undefined;
    if (tab !== undefined) return windows.show(tab);
    if (what === "Drag") {
      if (this.#dragged) windows.size(this.#dragged, (divider) => divider.moveTo(x, y));
      return;
    }
    this.#dragged = what === "Click" ? windows.dividers.find((divider) => divider.isAt(x, y)) : undefined;
    const placed = this.#placedAt(x, y);
    if (!placed) return;
    if (what === "Click") this.#click({ ...placed, boxed: isBox(placed.area, windows.boxed) }, x, y);
    else if (what === "WheelUp" || what === "WheelDown") placed.pane.move(what === "WheelUp" ? -WHEEL : WHEEL);
  }

  /** Gives the pane at a cell the keys. */
  focusAt(x: number, y: number): void {
    const { windows, console } = this.app, pane = this.#placedAt(x, y)?.pane;
    if (!pane || pane.bare) return;
    console.typing = console.typing && pane === console;
    windows.focusOn(pane);
  }

  #placedAt(x: number, y: number): Placed | undefined {
    return this.app.windows.visible.find(({ area }) => isInside(area, x, y));
  }

  /** Handles it at the scrubber; false if it is elsewhere. */
  #scrub(what: string, x: number, y: number): boolean {
    const { timeAt, point, goThere } = this.app;
    if (what === "Release" && this.#scrubbing !== undefined) {
      this.#scrubbing = undefined;
      goThere();
      return true;
    }
    const row = what === "Click" ? y : what === "Drag" ? this.#scrubbing : undefined;
    const time = row === undefined ? undefined : timeAt(x, row);
    if (time === undefined) return this.#scrubbing !== undefined;
    this.#scrubbing = row;
    point(time);
    return true;
  }

  #click({ pane, area, boxed }: Placed & { readonly boxed: boolean }, x: number, y: number): void {
    const { windows, tree, consoles, clock, enter } = this.app;
    // The title, of a box or of a rule, is the first row.
    const onTitle = y === area.y;
    const hit = !onTitle && pane.click(y - area.y - 1, x - area.x - (boxed ? 1 : 0));
    // A pane that never has the focus still takes clicks.
    if (pane.bare) return;
    this.focusAt(x, y);
    if (pane === tree) consoles.preferSelected();
    const now = clock(), last = this.#clicked;
    const again = last.x === x && last.y === y && now - last.at < DOUBLE_CLICK;
    this.#clicked = again ? { x: -1, y: -1, at: -Infinity } : { x, y, at: now };
    if (!again) return;
    if (onTitle) windows.zoom();
    else if (hit) enter();
  }
}
