// Two screens at a time: which is where, and how much room each has.

import { Divider, LEAST_COLUMNS, type Place } from "../screens/divider.ts";
import type { ScreenModel } from "../screens/screen-model.ts";

/** Rows that each half keeps. */
const LEAST_ROWS = 4;

/** A body in two halves. The focused screen is the application's; this is the other one. */
export class Split {
  readonly divider: Divider;

  /**
   * @param other the screen that is not focused
   * @param focusedFirst whether the focused one is the left or upper half
   */
  constructor(readonly sideBySide: boolean, public other: ScreenModel, public focusedFirst: boolean) {
    const least = sideBySide ? LEAST_COLUMNS : LEAST_ROWS;
    this.divider = new Divider("split", sideBySide, [least, least]);
  }

  /** The places of the focused screen and of the other one. */
  places(body: Place): { readonly focused: Place; readonly other: Place } {
    const [first, second] = this.divider.cut(body, (this.sideBySide ? body.width : body.height) / 2);
    return this.focusedFirst ? { focused: first, other: second } : { focused: second, other: first };
  }
}
