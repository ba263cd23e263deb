// A divider between two panes: it splits a rectangle, at its default position or at the user's.

import type { Rectangle } from "../terminal/cells.ts";

/** Share of a rectangle by which a key moves a divider. */
const STEP = 0.1;

/** A place: boxes in it abut; otherwise a column separates panes side by side. */
interface DividedArea extends Rectangle {
  readonly boxed?: boolean;
}

const gapOf = ({ boxed }: DividedArea) => boxed ? 0 : 1;

export class Divider {
  /** Share of the first part, as the user has set it. */
  #share: number | undefined;
  #place: DividedArea | undefined;
  /** Columns or rows of the first part. */
  #first = 0;

  /**
   * @param name unique in its screen
   * @param sideBySide the parts are side by side, with a column between; otherwise one below the
   * other
   * @param least columns or rows that the first part keeps, and the second
   */
  constructor(readonly name: string, readonly sideBySide: boolean, readonly least: readonly [first: number, second: number]) {}

  /** Share of the first part, as the user has set it; undefined by default. */
  get share(): number | undefined {
    return this.#share;
  }

  set share(share: number | undefined) {
    this.#share = share;
  }

  /** Whether it has a place now. */
  get placed(): boolean {
    return this.#place !== undefined;
  }

  /** Splits a rectangle; `wanted` is the default for the first part, columns or rows. */
  cut(place: DividedArea, wanted: number): [DividedArea, DividedArea] {
    const length = this.#length(place), gap = gapOf(place);
    const first = this.#share === undefined ? Math.floor(wanted) : Math.round(length * this.#share);
    this.#place = place;
    this.#first = Math.max(Math.min(first, length - this.least[1]), Math.min(this.least[0], length));
    const at = this.#first;
    if (this.sideBySide) return [{ ...place, width: at }, { ...place, x: place.x + at + gap, width: length - at }];
    return [{ ...place, height: at }, { ...place, y: place.y + at, height: length - at }];
  }

  /** It has no place until the next cut. */
  remove(): void {
    this.#place = undefined;
  }

  /** Whether a cell is on it: the column between, or the row in which the second part begins. */
  isAt(x: number, y: number): boolean {
    const place = this.#place;
    if (!place || x < place.x || y < place.y || x >= place.x + place.width || y >= place.y + place.height) return false;
    if (!this.sideBySide) return y === place.y + this.#first;
    // Boxes have a border of each part here.
    return x === place.x + this.#first || place.boxed === true && x === place.x + this.#first - 1;
  }

  /** Puts it where a cell is, as near as the parts may come. */
  moveTo(x: number, y: number): void {
    const place = this.#place;
    if (place) this.#put(this.sideBySide ? x - place.x : y - place.y, place);
  }

  /** Moves it by steps: more room for the first part, or less. */
  step(by: number): void {
    const place = this.#place;
    if (place) this.#put(this.#first + Math.round(by * STEP * this.#length(place)), place);
  }

  #put(first: number, place: DividedArea): void {
    const length = this.#length(place);
    if (length > 0) this.#share = Math.max(this.least[0], Math.min(first, length - this.least[1])) / length;
  }

  /** Columns that both parts share, or rows. */
  #length(place: DividedArea): number {
    return this.sideBySide ? place.width - gapOf(place) : place.height;
  }
}
