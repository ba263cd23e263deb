// One guest console: an xterm emulator without a screen keeps its cells; the pane copies them. The
// guest's escape sequences end here: they can only change cells of this pane.

import { ConsoleWidths } from "../../terminal/console-widths.ts";
import { type IBufferCell, Terminal } from "../../terminal/xterm.ts";
import { PAGE } from "../../terminal/color-map.ts";
import { Attribute, type Color, palette, rgb, type Style } from "../../terminal/color.ts";
import type { CellSpan, Rectangle, Screen } from "../../terminal/cells.ts";

/** Rows kept above the screen. */
const SCROLLBACK = 4096;

/** Emulated terminal of one guest console. */
export class ConsoleView {
  readonly #terminal: Terminal;
  /** The emulator's own loses characters that come in pieces, such as U+200D. */
  readonly #decoder = new TextDecoder();
  #cell: IBufferCell | undefined;
  /** Rows scrolled back from the end; 0 follows the output. */
  #back = 0;
  #unseen = 0;
  #found: FoundMatch | undefined;

  constructor(
    readonly name: string,
    /** Called when the emulator has taken in output. */
    changed: () => void,
    /** Answers of the emulator to the guest (cursor position reports). */
    answer: (bytes: Uint8Array) => void,
  ) {
    this.#terminal = new Terminal({
      cols: 80,
      rows: 24,
      scrollback: SCROLLBACK,
      allowProposedApi: true,
      convertEol: false,
      logLevel: "off",
    });
    const widths = new ConsoleWidths();
    this.#terminal.unicode.register(widths);
    this.#terminal.unicode.activeVersion = widths.version;
    this.#terminal.onWriteParsed(changed);
    const encoder = new TextEncoder();
    this.#terminal.onData((data) => answer(encoder.encode(data)));
  }

  /** Guest output; `taken` is called when the emulator is done with it. */
  write(bytes: Uint8Array, taken: () => void = () => {}): void {
    if (this.#back > 0) { for (const byte of bytes) if (byte === 10) this.#unseen++, this.#back++; }
    this.#terminal.write(this.#decoder.decode(bytes, { stream: true }), taken);
  }

  /** Resolves when everything written so far is on the emulated screen. */
  settled(): Promise<void> {
    return new Promise((resolve) => this.#terminal.write("", resolve));
  }

  resize(columns: number, rows: number): void {
    const width = Math.max(columns, 2), height = Math.max(rows, 1);
    if (width !== this.#terminal.cols || height !== this.#terminal.rows) this.#terminal.resize(width, height);
  }

  /** Scrolls by rows, back (positive) or forward; 0 rows back follows again. */
  scroll(rows: number): void {
    this.#back = Math.min(Math.max(this.#back + rows, 0), this.#terminal.buffer.active.baseY);
    if (this.#back === 0) this.#unseen = 0;
  }

  follow(): void {
    this.#back = 0;
    this.#unseen = 0;
    this.#found = undefined;
  }

  /**
   * Searches screen and scrollback without regard to case, and scrolls to a match.
   * @param by which match: 0 is the newest, higher ones are further up; it wraps around.
   * @returns how many rows match, and which of them is shown (1 is the oldest); undefined without a
   * match.
   */
  search(text: string, by: number): { readonly count: number; readonly shown: number } | undefined {
    const { active } = this.#terminal.buffer;
    const wanted = text.toLowerCase();
    const hits: number[] = [];
    for (let row = 0; row < active.length; row++) {
      if (active.getLine(row)?.translateToString(true).toLowerCase().includes(wanted)) hits.push(row);
    }
    this.#found = undefined;
    if (!hits.length) return undefined;
    const place = ((hits.length - 1 - by) % hits.length + hits.length) % hits.length;
    this.#back = Math.min(Math.max(active.baseY - hits[place], 0), active.baseY);
    this.#found = { text: wanted, row: hits[place] };
    return { count: hits.length, shown: place + 1 };
  }

  /** Its text: the visible rows, or all. */
  text(visible: boolean): string {
    const buffer = this.#terminal.buffer.active;
    const top = visible ? buffer.baseY - this.#back : 0;
    const rows = Array.from({ length: visible ? this.#terminal.rows : buffer.length }, (_, row) => buffer.getLine(top + row));
    // A line that continues in the next row is one line.
    const text = rows.map((line, row) =>
      `${row > 0 && !line?.isWrapped ? "\n" : ""}${line?.translateToString(!rows[row + 1]?.isWrapped) ?? ""}`
    );
    return text.join("").trimEnd();
  }

  /** Rows that it is scrolled back, and how many are new below. */
  get position(): { readonly back: number; readonly unseen: number } {
    return { back: this.#back, unseen: this.#unseen };
  }

  /** Copies the visible cells; sets the screen's cursor where `focused`. */
  draw(screen: Screen, area: Rectangle, focused: boolean): void {
    this.resize(area.width, area.height);
    const buffer = this.#terminal.buffer.active;
    this.#back = Math.min(this.#back, buffer.baseY);
    const top = buffer.baseY - this.#back;
    for (let row = 0; row < area.height; row++) {
      const line = buffer.getLine(top + row);
      if (!line) continue;
      let text = "";
      /** The column of each character of the text. */
      const columns: number[] = [];
      for (let column = 0; column < area.width; column++) {
        const cell = this.#cell = line.getCell(column, this.#cell);
        if (!cell) break;
        const width = cell.getWidth();
        if (width === 0) continue;
        const characters = cell.getChars() || " ";
        screen.cluster(area.x + column, area.y + row, characters, width, cellStyle(cell));
        if (!this.#found) continue;
        for (let index = 0; index < characters.length; index++) columns.push(column);
        text += characters;
      }
      if (this.#found) markHits(screen, { ...area, y: area.y + row }, { text, columns }, this.#found, top + row === this.#found.row);
    }
    if (focused && this.#back === 0) {
      screen.cursor = { x: area.x + Math.min(buffer.cursorX, area.width - 1), y: area.y + Math.min(buffer.cursorY, area.height - 1) };
    }
  }
}

/** The text of the search, and the row of the match that is shown. */
interface FoundMatch {
  readonly text: string;
  readonly row: number;
}

/** Marks what was searched in a row; the match that is shown stands out from the others. */
function markHits(
  screen: Screen,
  { x, y }: CellSpan,
  { text, columns }: { readonly text: string; readonly columns: readonly number[] },
  found: FoundMatch,
  current: boolean,
): void {
  const lower = text.toLowerCase();
  for (let at = lower.indexOf(found.text); at >= 0; at = lower.indexOf(found.text, at + found.text.length)) {
    const from = columns[at], to = columns[at + found.text.length - 1];
    const place = { x: x + from, y, width: to - from + 1, height: 1 };
    screen.tint(place, current ? "warn" : "hitbg");
    screen.stain(place, current ? "ink" : "strong");
  }
}

function cellStyle(cell: IBufferCell): Style {
  const attributes = (cell.isBold() ? Attribute.Bold : 0) | (cell.isDim() ? Attribute.Dim : 0) | (cell.isItalic() ? Attribute.Italic : 0) |
    (cell.isUnderline() ? Attribute.Underline : 0) | (cell.isInverse() ? Attribute.Reverse : 0) |
    (cell.isStrikethrough() ? Attribute.Strike : 0);
  return {
    attributes,
    foreground: color(cell.isFgDefault(), cell.isFgRGB(), cell.getFgColor(), PAGE.foreground),
    background: color(cell.isBgDefault(), cell.isBgRGB(), cell.getBgColor(), PAGE.background),
  };
}

function color(isDefault: boolean, isRgb: boolean, value: number, usual: Color): Color {
  return isDefault ? usual : isRgb ? rgb(value) : palette(value);
}
