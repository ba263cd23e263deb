// Pieces of a line: text with an ink, or on a fill. Rows, titles and hints are made of them.

import type { Screen } from "../terminal/cells.ts";
import { fit, fitName, textWidth } from "../../../kit/support/text/text-width.ts";
import { history } from "../terminal/glyphs.ts";
import type { Fade } from "../terminal/color.ts";
import type { Look, Role } from "./theme.ts";
import type { VmMark } from "./vm-marks.ts";
import { stateMark } from "./chip.ts";

/** A piece of a line. */
export interface Piece {
  readonly text: string;
  /** Its ink; `text` by default. */
  readonly role?: Role;
  readonly bold?: boolean;
  /** Its ink is weaker, as that of what is older. */
  readonly fade?: Fade;
  /** Its own background: a chip, a bar. */
  readonly fill?: Role;
  /** It is a name, which is cut in the middle. */
  readonly isName?: boolean;
  /** Target of a hyperlink. */
  readonly link?: string;
  /** Names of keys that a click on it presses, with blanks between them. */
  readonly press?: string;
}

/** Columns of pieces. */
export function piecesWidth(pieces: readonly Piece[]): number {
  return pieces.reduce((sum, { text }) => sum + textWidth(text), 0);
}

/**
 * Draws pieces one after the other in at most `width` columns, cut with `…`; gives the columns
 * used.
 */
export function drawPieces(screen: Screen, look: Look, x: number, y: number, pieces: readonly Piece[], width: number): number {
  let used = 0;
  for (const { text, role = "text", bold, fade, fill, link, press, isName } of pieces) {
    if (used >= width) break;
    const style = fill ? look.on(fill, role, bold) : bold ? look.bold(role) : fade ? look.faded(role, fade) : look.style(role);
    const shown = (isName ? fitName : fit)(text, width - used);
    const columns = screen.text(x + used, y, shown, link === undefined ? style : { ...style, link });
    if (press) screen.button({ x: x + used, y, width: columns }, press);
    used += columns;
  }
  return used;
}

/** Pieces in lines of at most `width` columns, broken at blanks and continued after a margin. */
export function wrapPieces(pieces: readonly Piece[], margin: number, width: number): (readonly Piece[])[] {
  if (piecesWidth(pieces) <= width) return [pieces];
  const lines: Piece[][] = [[]];
  let used = 0;
  for (const { piece, word } of pieces.flatMap((piece) => piece.text.split(/(?<= )/).map((word) => ({ piece, word })))) {
    const start = lines.length > 1 ? margin : 0;
    if (used > start && used + textWidth(word.trimEnd()) > width) {
      const line = lines.at(-1)!, last = line.pop()!;
      line.push({ ...last, text: last.text.trimEnd() });
      lines.push([{ text: " ".repeat(margin) }]);
      used = margin;
    }
    // No line begins with a blank of the one before.
    if (lines.length > 1 && used === margin && word.trim() === "") continue;
    lines.at(-1)!.push({ ...piece, text: word });
    used += textWidth(word);
  }
  return lines;
}

/** A key and its effect, as titles and boxes name them; a click on them presses it. */
export function keyPieces(name: string, word: string, press = name): Piece[] {
  const blanks = word.length - word.trimEnd().length;
  return [
    { text: name, role: "accent", bold: true, press },
    { text: ` ${word.trimEnd()}`, role: "dim", press },
    ...blanks > 0 ? [{ text: " ".repeat(blanks) }] : [],
  ];
}

/** A number in digits, its leading zeros faint. */
export function digitPieces(digits: string, role: Role): Piece[] {
  const zeros = /^0*(?=.)/.exec(digits)![0];
  return [{ text: zeros, role: "faint" }, { text: digits.slice(zeros.length), role }];
}

/** The letter of a VM on its fill, in one cell or three. */
export function chipPiece({ letter, fill }: VmMark, wide = false): Piece {
  return { text: wide ? ` ${letter} ` : letter, role: "fink", fill, bold: true };
}

/** The letter of a VM, a blank, and its name or an id, in its ink. */
export function vmPieces(mark: VmMark, name: string, wide = false): Piece[] {
  return [chipPiece(mark, wide), { text: ` ${name}`, role: mark.ink, isName: true }];
}

/** Amounts from 0 to 1 in one row, the newest at the right: what is older has less color. */
export function historyPieces({ glyphs }: Look, values: readonly number[], width: number, role: Role): Piece[] {
  const text = history(glyphs, values, width), third = Math.floor(width / 3);
  return [
    { text: text.slice(0, third), role, fade: 2 },
    { text: text.slice(third, 2 * third), role, fade: 1 },
    { text: text.slice(2 * third), role },
  ];
}

/** A state of a VM or vCPU: shape and word. */
export function statePiece(look: Look, state: string): Piece {
  const { shape, word, ink } = stateMark(state);
  return { text: `${look.glyphs.shapes[shape]} ${word}`, role: ink };
}
