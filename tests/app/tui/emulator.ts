// A terminal emulator beside the renderer: what it shows of the bytes is what was drawn.

import assert from "node:assert/strict";
import { Attribute, type Color, palette, rgb } from "../../../src/app/tui/terminal/color.ts";
import type { Screen } from "../../../src/app/tui/terminal/cells.ts";
import { type IBufferCell, Terminal } from "../../../src/app/tui/terminal/xterm.ts";

/** An emulator of a size. */
export class Emulator {
  readonly terminal: Terminal;

  constructor(columns: number, rows: number) {
    this.terminal = new Terminal({ cols: columns, rows, scrollback: 0, allowProposedApi: true, convertEol: false, logLevel: "off" });
    // Where el2 draws: the alternate screen, without wrapping.
    this.terminal.write("\x1b[?1049h\x1b[?7l");
  }

  /** Takes bytes in. */
  write(text: string): Promise<void> {
    return new Promise((resolve) => this.terminal.write(text, resolve));
  }

  /** Its cell; the second half of a wide one has no text. */
  cell(x: number, y: number): IBufferCell {
    return this.terminal.buffer.active.getLine(y)!.getCell(x)!;
  }

  /** Takes a new size. */
  resize(columns: number, rows: number): void {
    this.terminal.resize(columns, rows);
  }

  /** Takes in the next frame; text, colors and attributes are those that were drawn. */
  async assertTakes(screen: Screen, name: string): Promise<void> {
    const { map } = screen;
    const drawn = Array.from({ length: screen.height }, (_, y) => screen.cells(y));
    await this.write(screen.frame());
    for (const [y, cells] of drawn.entries()) {
      let x = 0;
      for (const { text, foreground, background, attributes } of cells) {
        const cell = this.cell(x, y), place = () => `${name}: column ${x}, row ${y}, ${JSON.stringify(text)}`;
        const chars = cell.getChars() || " ";
        if (chars !== text) assert.equal(chars, text, place());
        map.map(foreground, background, attributes);
        if (colorOf(cell, "Bg") !== map.background) assert.equal(colorOf(cell, "Bg"), map.background, `${place()}: background`);
        if (text !== " ") {
          if (colorOf(cell, "Fg") !== map.foreground) assert.equal(colorOf(cell, "Fg"), map.foreground, `${place()}: ink`);
          if (attributesOf(cell) !== map.attributes) assert.equal(attributesOf(cell), map.attributes, `${place()}: attributes`);
        }
        x += cell.getWidth() || 1;
      }
    }
  }
}

function colorOf(cell: IBufferCell, what: "Fg" | "Bg"): Color {
  const isForeground = what === "Fg";
  if (isForeground ? cell.isFgDefault() : cell.isBgDefault()) return 0;
  const value = isForeground ? cell.getFgColor() : cell.getBgColor();
  return (isForeground ? cell.isFgRGB() : cell.isBgRGB()) ? rgb(value) : palette(value);
}

function attributesOf(cell: IBufferCell): number {
  const { Bold, Dim, Italic, Underline, Reverse, Strike } = Attribute;
  return (cell.isBold() ? Bold : 0) | (cell.isDim() ? Dim : 0) | (cell.isItalic() ? Italic : 0) | (cell.isUnderline() ? Underline : 0) |
    (cell.isInverse() ? Reverse : 0) | (cell.isStrikethrough() ? Strike : 0);
}
