// A question before an action that cannot be undone: its effect, what is lost, what stays. Only `y`
// performs it.

import type { Rectangle, Screen } from "../../terminal/cells.ts";
import type { Key } from "../../terminal/keys.ts";
import type { Overlay } from "./overlay.ts";
import { type DrawnRows, drawOverlay, isOver, NO_ROWS } from "./overlay-box.ts";
import { keyPieces, type Piece } from "../../look/pieces.ts";
import { wrap } from "../../panes/row-lines.ts";
import { type SpokenLine, spokenPieces, type SpokenSize } from "../../look/speech.ts";
import type { Look } from "../../look/theme.ts";

/** The content of the question. */
export interface Danger {
  readonly question: string;
  /** The action of `y`, in a few words: `stop vm:ping`. */
  readonly act: string;
  readonly effect: string;
  readonly lost: string;
  readonly stays: string;
  /** The command line that does the same. */
  readonly command: string;
}

/** Columns inside, and of the names of values. */
const COLUMNS = 70;
const NAME = 8;
/** Rows of text above the keys: as many however short it is, so that the keys stay in place. */
const ROWS = 8;

export class DangerOverlay implements Overlay {
  readonly context = "menu";
  readonly whole = false;
  readonly prompt = undefined;
  readonly cursor = undefined;
  #drawn: DrawnRows = NO_ROWS;

  constructor(readonly danger: Danger, readonly yes: () => void) {}

  key(key: Key): boolean {
    if (key.name === "y") this.yes();
    return false;
  }

  click(x: number, y: number): boolean {
    return isOver(this.#drawn, x, y);
  }

  draw(screen: Screen, area: Rectangle, look: Look): void {
    const width = Math.min(COLUMNS, area.width - 8), lines = this.#lines(width);
    while (lines.length < ROWS) lines.push([]);
    const rows = drawOverlay(screen, look, area, {
      title: { text: this.danger.question },
      kind: "danger",
      lines: [...lines, this.#keys],
      columns: width + 2,
    });
    this.#drawn = { rows, top: 0 };
  }

  spoken(_look: Look, { width }: SpokenSize): readonly SpokenLine[] {
    return [[{ text: this.danger.question }], ...this.#lines(width), this.#keys].map((pieces) => spokenPieces(pieces));
  }

  #lines(width: number): Piece[][] {
    const { effect, lost, stays, command } = this.danger;
    const value = (name: string, text: string): Piece[][] =>
      wrap(text, 0, width - NAME).map((line, index): Piece[] => [{ text: (index ? "" : name).padEnd(NAME), role: "dim" }, { text: line }]);
    return [
      ...wrap(effect, 0, width).map((line): Piece[] => [{ text: line, role: "strong" }]),
      [],
      ...value("lost", lost),
      ...value("stays", stays),
      [{ text: "shell".padEnd(NAME), role: "dim" }, { text: command, role: "link" }],
    ];
  }

  get #keys(): Piece[] {
    return [
      { text: ` y  ${this.danger.act} `, role: "ink", fill: "bad", bold: true, press: "y" },
      { text: "   " },
      ...keyPieces("any other key", " cancels", "Esc"),
    ];
  }
}
