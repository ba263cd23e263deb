// Boxes over a screen: centered, opaque, as large as they need to be.

import { drawFrame, type FrameKind, isInside, type Title } from "../../look/box.ts";
import type { Rectangle, Screen } from "../../terminal/cells.ts";
import { drawPieces, type Piece, piecesWidth } from "../../look/pieces.ts";
import type { Look } from "../../look/theme.ts";

/** Columns at the most, and what stays of the body at each side and in all above and below. */
const WIDEST = 96;
const ASIDE = 2;
const ABOVE_AND_BELOW = 4;

/** Where a box has its list: for the mouse. */
export interface DrawnRows {
  /** The cells of the list. */
  readonly rows: Rectangle;
  /** Rows of the box above the list and below it, without the frame. */
  readonly above?: number;
  readonly below?: number;
  /** The line in the first row. */
  readonly top: number;
}

/** Before it was drawn. */
export const NO_ROWS: DrawnRows = { rows: { x: 0, y: 0, width: 0, height: 0 }, top: 0 };

/** The line of a list at a cell. */
export function rowAt({ rows, top }: DrawnRows, x: number, y: number): number | undefined {
  return isInside(rows, x, y) ? top + y - rows.y : undefined;
}

/** Whether a cell belongs to the box of a list, with its frame. */
export function isOver({ rows, above = 0, below = 0 }: DrawnRows, x: number, y: number): boolean {
  const box = { x: rows.x - 1, y: rows.y - 1 - above, width: rows.width + 2, height: rows.height + 2 + above + below };
  return isInside(box, x, y);
}

/** Properties of a box over the screen. */
interface OverlayBox {
  readonly title: Title;
  readonly kind?: FrameKind;
  readonly lines?: readonly (readonly Piece[])[];
  /** Rows and columns inside, if not those of the lines. */
  readonly rows?: number;
  readonly columns?: number;
}

/**
 * Draws a box with its lines over the screen. Returns the area inside it, without the margin at the
 * left.
 */
export function drawOverlay(screen: Screen, look: Look, body: Rectangle, box: OverlayBox): Rectangle {
  const { title, kind = "focused", lines = [] } = box;
  const columns = box.columns ?? lines.reduce((most, line) => Math.max(most, piecesWidth(line) + 2), 0);
  const width = Math.min(Math.max(columns + 2, 40), WIDEST, body.width - 2 * ASIDE);
  const height = Math.min((box.rows ?? lines.length) + 2, Math.max(body.height - ABOVE_AND_BELOW, 5));
  const area = { x: body.x + ((body.width - width) >> 1), y: body.y + ((body.height - height) >> 1), width, height };
  screen.fill(area, "overlay");
  const inside = drawFrame(screen, look, area, title, { boxed: true, kind, focus: kind === "focused" });
  lines.slice(0, inside.height).forEach((pieces, row) => drawPieces(screen, look, inside.x + 1, inside.y + row, pieces, inside.width - 2));
  return inside;
}
