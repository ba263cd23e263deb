// The bytes of a frame: cursor moves, styles and text, each in the fewest bytes that all terminals
// understand alike. Attributes are switched off by their own codes; a reset closes the frame.

import type { ColorMap } from "./color-map.ts";
import { Attribute, type Color, ON_BLANKS, rgbOf } from "./color.ts";
import { beginLink, LINK_END } from "../../../kit/support/text/hyperlink.ts";

const { Bold, Dim, Italic, Underline, Reverse, Strike, Link } = Attribute;

/** Codes that switch attributes on, by bit, and off. Bold and dim end together. */
const ON = [1, 2, 3, 4, 7, 9] as const;
const OFF: readonly (readonly [bits: number, code: number])[] = [[Bold | Dim, 22], [Italic, 23], [Underline, 24], [Reverse, 27], [
  Strike,
  29,
]];

/** Text of a frame under construction, with the terminal's state. */
export class FrameWriter {
  text = "";
  #foreground: Color = 0;
  #background: Color = 0;
  #attributes = 0;
  /** Column of the terminal's cursor; -1: unknown. */
  #x = -1;
  #y = -1;

  /** @param target where cells with a hyperlink lead */
  constructor(readonly map: ColorMap, readonly target = "") {}

  get empty(): boolean {
    return this.text === "";
  }

  raw(text: string): void {
    this.text += text;
  }

  /** Takes the cursor to a cell. */
  move(x: number, y: number): void {
    if (y === this.#y && x === this.#x) return;
    if (y === this.#y && this.#x >= 0 && x > this.#x) {
      const by = x - this.#x;
      this.text += by === 1 ? "\x1b[C" : `\x1b[${by}C`;
    } else if (x === 0) this.text += y === 0 ? "\x1b[H" : `\x1b[${y + 1}H`;
    else this.text += `\x1b[${y + 1};${x + 1}H`;
    this.#x = x;
    this.#y = y;
  }

  /**
   * Writes a cluster at the cursor. `columns`: how far the cursor goes; 0 where terminals disagree.
   */
  put(cluster: string, columns: number): void {
    this.text += cluster;
    this.#x = columns === 0 ? -1 : this.#x + columns;
  }

  /** Whether a mapped style looks like the terminal's current one. */
  #has(foreground: Color, background: Color, attributes: number, blank: boolean): boolean {
    if (background !== this.#background) return false;
    if (blank) return ((attributes ^ this.#attributes) & ON_BLANKS) === 0;
    return foreground === this.#foreground && attributes === this.#attributes;
  }

  /** Sets a mapped style. The ink of a blank does not matter. */
  style(foreground: Color, background: Color, attributes: number, blank: boolean): void {
    if (this.#has(foreground, background, attributes, blank)) return;
    if (blank) {
      foreground = this.#foreground;
      attributes = this.#attributes & ~ON_BLANKS | attributes & ON_BLANKS;
    }
    if ((attributes ^ this.#attributes) & Link) this.text += attributes & Link ? beginLink(this.target) : LINK_END;
    const codes: (string | number)[] = [];
    let on = attributes & ~this.#attributes;
    const off = this.#attributes & ~attributes;
    for (const [bits, code] of OFF) {
      if ((off & bits) === 0) continue;
      codes.push(code);
      on |= attributes & bits;
    }
    for (const [bit, code] of ON.entries()) if (on & 1 << bit) codes.push(code);
    if (foreground !== this.#foreground) codes.push(colorCode(foreground, 30));
    if (background !== this.#background) codes.push(colorCode(background, 40));
    this.#foreground = foreground;
    this.#background = background;
    this.#attributes = attributes;
    if (codes.length > 0) this.text += `\x1b[${codes.join(";")}m`;
  }

  /** Closes the frame: the terminal's own style again. */
  reset(): void {
    if (this.#foreground === 0 && this.#background === 0 && this.#attributes === 0) return;
    if (this.#attributes & Link) this.text += LINK_END;
    this.text += "\x1b[0m";
    this.#foreground = this.#background = this.#attributes = 0;
  }
}

/** SGR parameters of a mapped color; `base` is 30 for the foreground, 40 for the background. */
function colorCode(color: Color, base: number): string {
  if (color === 0) return String(base + 9);
  const direct = rgbOf(color);
  if (direct !== undefined) return `${base + 8};2;${direct >> 16};${direct >> 8 & 255};${direct & 255}`;
  const index = color - 1;
  if (index < 8) return String(base + index);
  if (index < 16) return String(base + 60 + index - 8);
  return `${base + 8};5;${index}`;
}
