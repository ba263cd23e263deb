// Two screens at a time: which is where, and how much room each has.

import type { Rectangle } from "./cells.ts";
import type { ScreenModel } from "./screens.ts";

/** The least and the most that the first half takes. */
const LEAST = 0.2;
const MOST = 0.8;
const STEP = 0.1;

/** A body in two halves. The focused screen is the application's; this is the other one. */
export class Split {
  #share = 0.5;

  /**
   * @param other the screen that is not focused
   * @param focusedFirst whether the focused one is the left or upper half
   */
  constructor(readonly sideBySide: boolean, public other: ScreenModel, public focusedFirst: boolean) {}

  /** Share of the first half. */
  get share(): number {
    return this.#share;
  }

  /** More or less room for the first half; 0 makes both alike. */
  size(by: number): void {
    this.#share = by === 0 ? 0.5 : Math.min(Math.max(this.#share + Math.sign(by) * STEP, LEAST), MOST);
  }

  /** The places of the focused screen and of the other one. */
  places(body: Rectangle): { readonly focused: Rectangle; readonly other: Rectangle } {
    const [first, second] = this.#halves(body);
    return this.focusedFirst ? { focused: first, other: second } : { focused: second, other: first };
  }

  #halves(body: Rectangle): [Rectangle, Rectangle] {
    if (this.sideBySide) {
      const width = Math.floor(body.width * this.#share);
      return [{ ...body, width }, { ...body, x: body.x + width + 1, width: body.width - width - 1 }];
    }
    const height = Math.floor(body.height * this.#share);
    return [{ ...body, height }, { ...body, y: body.y + height, height: body.height - height }];
  }
}
