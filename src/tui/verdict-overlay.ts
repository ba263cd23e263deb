// The verdict on a VM in a box: its cause, the evidence, and the command that shows more, as
// `el2 diagnose` prints them.

import type { OverlayAction } from "./actions.ts";
import { drawThumb } from "./box.ts";
import type { Rectangle, Screen } from "./cells.ts";
import type { Key } from "./keys.ts";
import type { Overlay } from "./overlay.ts";
import { drawOverlay } from "./overlay-box.ts";
import { drawPieces, keyPieces, type Piece } from "./pieces.ts";
import { wrap } from "./row-lines.ts";
import type { Look } from "./theme.ts";
import { diagnosisLines } from "../queries/diagnosis-text.ts";
import type { RowOf } from "../queries/table.ts";
import type { DIAGNOSES } from "../queries/tables.ts";

/** Columns of text at most. */
const WIDEST = 92;
/** Columns of the body that are left and right of the text, with the frame. */
const ASIDE = 8;
/** Columns by which continued lines are moved in. */
const MARGIN = 4;
/** Rows of a page. */
const PAGE = 10;

/** The object that the next command of a verdict shows, and how to go there. */
export interface Follow {
  readonly id: string;
  readonly go: () => void;
}

/** The box. */
export class VerdictOverlay implements Overlay {
  readonly context = "help";
  readonly whole = false;
  readonly prompt = undefined;
  readonly cursor = undefined;
  #top = 0;

  constructor(readonly diagnosis: RowOf<typeof DIAGNOSES>, readonly follow?: Follow) {}

  key(key: Key, action: OverlayAction | undefined): boolean {
    if (key.name === "Enter" && this.follow) {
      this.follow.go();
      return false;
    }
    if (action?.name === "help.leave" || action?.name === "cancel") return false;
    this.#top += { Down: 1, j: 1, Up: -1, k: -1, PgDn: PAGE, PgUp: -PAGE }[key.name] ?? 0;
    return true;
  }

  draw(screen: Screen, area: Rectangle, look: Look): void {
    const { diagnosis, follow } = this;
    const width = Math.min(WIDEST, area.width - ASIDE);
    const texts = diagnosisLines(diagnosis);
    const lines = texts.flatMap((text, index) => {
      const role = index === 0 ? "bad" : diagnosis.next !== null && index === texts.length - 1 ? "accent" : "text";
      return wrap(text, MARGIN, width).map((line): Piece[] => [{ text: line, role }]);
    });
    const inside = drawOverlay(screen, look, area, {
      title: {
        text: "Verdict",
        bottom: [...follow ? [...keyPieces("Enter", `shows ${follow.id}`), { text: "  " }] : [], ...keyPieces("Esc", "close")],
      },
      rows: lines.length,
      columns: width + 2,
    });
    const { height } = inside;
    this.#top = Math.max(Math.min(this.#top, lines.length - height), 0);
    lines.slice(this.#top, this.#top + height).forEach((pieces, row) => {
      drawPieces(screen, look, inside.x + 1, inside.y + row, pieces, inside.width - 2);
    });
    const box = { x: inside.x - 1, y: inside.y - 1, width: inside.width + 2, height: height + 2 };
    drawThumb(screen, look, box, true, { top: this.#top, height, count: lines.length }, "focused");
  }
}
