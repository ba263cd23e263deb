// Lines about an object in a box: the verdict on a VM as `el2 diagnose` prints it, or every field
// of a row.

import type { OverlayAction } from "../../actions/actions.ts";
import { drawThumb } from "../../look/box.ts";
import type { Rectangle, Screen } from "../../terminal/cells.ts";
import type { Key } from "../../terminal/keys.ts";
import type { Overlay } from "./overlay.ts";
import { type DrawnRows, drawOverlay, isOver, NO_ROWS } from "./overlay-box.ts";
import { drawPieces, keyPieces, type Piece } from "../../look/pieces.ts";
import { fieldLines, wrap } from "../../panes/row-lines.ts";
import { type SpokenLine, spokenPieces, type SpokenSize } from "../../look/speech.ts";
import type { Look } from "../../look/theme.ts";
import { diagnosisLines } from "../../../../model/queries/texts/diagnosis-text.ts";
import type { RowOf, Selected } from "../../../../model/queries/table.ts";
import type { DIAGNOSES } from "../../../../model/queries/tables.ts";

/** Columns of text at most. */
const WIDEST = 92;
/** Columns of the body that are left and right of the text, with the frame. */
const ASIDE = 8;
/** Columns by which continued lines are moved in. */
const MARGIN = 4;
/** Rows of a page. */
const PAGE = 10;

/** The object that the lines lead to, and how to go there. */
interface Follow {
  readonly id: string;
  readonly go: () => void;
}

/** Every field of a row. */
export function fieldsOverlay(selected: Selected): LinesBox {
  const shown = (width: number) =>
    fieldLines(selected, width).map((line): Piece[] => line.pieces ? [...line.pieces] : [{ text: line.text, role: line.role }]);
  return new LinesBox(selected.row.id, shown);
}

/** Lines to scroll, over a part of the screen. */
export class LinesBox implements Overlay {
  readonly context = "help";
  readonly whole = false;
  readonly prompt = undefined;
  readonly cursor = undefined;
  #top = 0;
  /** Where its lines are. */
  #drawn: DrawnRows = NO_ROWS;

  /** @param lines the text at a width */
  constructor(readonly title: string, readonly lines: (width: number) => readonly Piece[][], readonly follow?: Follow) {}

  key(key: Key, action: OverlayAction | undefined): boolean {
    if (key.name === "Enter" && this.follow) {
      this.follow.go();
      return false;
    }
    if (action?.name === "help.leave" || action?.name === "cancel") return false;
    this.#top += { Down: 1, j: 1, Up: -1, k: -1, PgDn: PAGE, PgUp: -PAGE }[key.name] ?? 0;
    return true;
  }

  click(x: number, y: number): boolean {
    return isOver(this.#drawn, x, y);
  }

  scroll(rows: number): void {
    this.#top += rows;
  }

  draw(screen: Screen, area: Rectangle, look: Look): void {
    const { title, follow } = this;
    const width = Math.min(WIDEST, area.width - ASIDE);
    const lines = this.lines(width);
    const inside = drawOverlay(screen, look, area, {
      title: {
        text: title,
        bottom: [...follow ? [...keyPieces("Enter", `shows ${follow.id}`), { text: "  " }] : [], ...keyPieces("Esc", "close")],
      },
      rows: lines.length,
      columns: width + 2,
    });
    const { height } = inside;
    this.#top = Math.max(Math.min(this.#top, lines.length - height), 0);
    this.#drawn = { rows: inside, top: this.#top };
    lines.slice(this.#top, this.#top + height).forEach((pieces, row) => {
      drawPieces(screen, look, inside.x + 1, inside.y + row, pieces, inside.width - 2);
    });
    const box = { x: inside.x - 1, y: inside.y - 1, width: inside.width + 2, height: height + 2 };
    drawThumb(screen, look, box, true, { top: this.#top, height, count: lines.length }, "focused");
  }

  spoken(_look: Look, { width, height }: SpokenSize): readonly SpokenLine[] {
    const lines = this.lines(width), top = this.#top = Math.max(Math.min(this.#top, lines.length - height), 0);
    return [{ parts: [this.title] }, ...lines.slice(top, top + height).map((pieces) => spokenPieces(pieces))];
  }
}

/** The verdict on a VM: its cause, the way out, the evidence, and the command that shows more. */
export class VerdictOverlay extends LinesBox {
  constructor(diagnosis: RowOf<typeof DIAGNOSES>, follow?: Follow) {
    const texts = diagnosisLines(diagnosis), { way_out, next } = diagnosis;
    const roleOf = (index: number) => {
      if (index === 0) return "bad";
      if (index === 1 && way_out !== null) return "ok";
      return next !== null && index === texts.length - 1 ? "accent" : "text";
    };
    const lines = (width: number) =>
      texts.flatMap((text, index) => wrap(text, MARGIN, width).map((line): Piece[] => [{ text: line, role: roleOf(index) }]));
    super("Verdict", lines, follow);
  }
}
