// Lines to be spoken (`--plain`): the text of panes and boxes, instead of their drawing.

import { swap } from "../terminal/glyphs.ts";
import type { Piece } from "./pieces.ts";

/** A line; its parts are spoken with a pause between them. */
export interface SpokenLine {
  readonly parts: readonly string[];
  readonly selected?: boolean;
}

/** Columns and rows that a pane has where it is drawn. */
export interface SpokenSize {
  readonly width: number;
  readonly height: number;
}

/** A text of el2 without words that are only signs: lines, arrows, graphs. */
export function spokenText(text: string): string {
  return swap(text, "ascii").split(" ").filter((word) => /[A-Za-z0-9!?%]/.test(word)).join(" ");
}

/** A line of pieces: columns in it are parts. */
export function spokenPieces(pieces: readonly Pick<Piece, "text">[], selected = false): SpokenLine {
  return { parts: pieces.map(({ text }) => text).join("").split(/ {2,}/).map(spokenText).filter((part) => part !== ""), selected };
}

/** A line of cells, each of which is a part. */
export function spokenCells(cells: readonly (readonly Pick<Piece, "text">[])[], selected = false): SpokenLine {
  return { parts: cells.flatMap((pieces) => spokenPieces(pieces).parts), selected };
}
