// A pane of lines that something else gives, scrolled by rows: inspectors, findings, reasons.

import type { Rectangle, Screen } from "../terminal/cells.ts";
import { fit } from "../../../kit/support/text/text-width.ts";
import { type Blank, drawBlank, spokenBlank } from "./blank.ts";
import type { Scroll, Title } from "../look/box.ts";
import type { Line, Pane } from "./pane.ts";
import { drawPieces, piecesWidth } from "../look/pieces.ts";
import { type SpokenLine, spokenPieces, type SpokenSize } from "../look/speech.ts";
import type { Look } from "../look/theme.ts";
import type { Answer, Query } from "../../../model/queries/query.ts";

interface TextPaneOptions {
  readonly name: string;
  readonly title: () => Title;
  readonly lines: (width: number, look: Look) => readonly Line[];
  /** Its text where it has no lines. */
  readonly blank?: () => Blank | undefined;
  /** The queries for its lines, if it needs any. */
  readonly queries?: () => Query | readonly Query[] | undefined;
  readonly receive?: (answer: Answer) => void;
  /** How long (ms) an answer is good enough. */
  readonly staysGood?: number;
  /** The row of another pane that it is about: actions on that row work here too. */
  readonly selection?: () => Pane["selection"];
}

/** Lines of text. */
export class TextPane implements Pane {
  readonly name: string;
  #top = 0;
  #count = 0;
  #height = 1;

  constructor(readonly options: TextPaneOptions) {
    this.name = options.name;
  }

  get selection(): Pane["selection"] {
    return this.options.selection?.();
  }

  title(): Title {
    const title = this.options.title();
    const below = this.#count - this.#top - this.#height;
    return below > 0 ? { ...title, bottom: [{ text: `${below} below`, role: "dim" }] } : title;
  }

  get scroll(): Scroll {
    return { top: this.#top, height: this.#height, count: this.#count };
  }

  /** As it was drawn last. */
  get needs(): number {
    return this.#count;
  }

  queries(): Query | readonly Query[] | undefined {
    return this.options.queries?.();
  }

  receive(answer: Answer): void {
    this.options.receive?.(answer);
  }

  get staysGood(): number | undefined {
    return this.options.staysGood;
  }

  get page(): number {
    return this.#height;
  }

  move(by: number): void {
    this.#top = Math.min(Math.max(this.#top + by, 0), Math.max(this.#count - this.#height, 0));
  }

  click(): boolean {
    return true;
  }

  draw(screen: Screen, area: Rectangle, look: Look): void {
    const lines = this.#shown(look, area), blank = lines.length ? undefined : this.options.blank?.();
    if (blank) return drawBlank(screen, look, area, blank);
    lines.forEach((line, row) => drawLine(screen, look, { ...area, y: area.y + row, height: 1 }, line));
  }

  spoken(look: Look, size: SpokenSize): readonly SpokenLine[] {
    const lines = this.#shown(look, size), blank = lines.length ? undefined : this.options.blank?.();
    if (blank) return spokenBlank(look, size.width, blank);
    return lines.map(({ text, pieces = [{ text }], right = [] }) => {
      const line = spokenPieces(pieces);
      return { parts: [...line.parts, ...spokenPieces(right).parts] };
    });
  }

  #shown(look: Look, { width, height }: SpokenSize): readonly Line[] {
    const lines = this.options.lines(width, look);
    this.#count = lines.length;
    this.#height = height;
    this.#top = Math.min(this.#top, Math.max(lines.length - height, 0));
    return lines.slice(this.#top, this.#top + height);
  }
}

/** Draws a line: its tint and bar, its text or pieces, and its right end in at most half of it. */
export function drawLine(screen: Screen, look: Look, area: Rectangle, { text, role = "text", pieces, right, tint, bar }: Line): void {
  if (tint) screen.tint(area, tint);
  if (bar) screen.text(area.x, area.y, look.glyphs.selected, look.style(bar));
  const end = right ? Math.max(area.width - 1 - piecesWidth(right), Math.ceil(area.width / 2)) : area.width;
  // A blank between a text that is cut and the right end.
  if (pieces) drawPieces(screen, look, area.x + 1, area.y, pieces, right ? end - 2 : end - 1);
  else screen.text(area.x, area.y, fit(` ${text}`, end), look.style(role));
  if (right) drawPieces(screen, look, area.x + end, area.y, right, area.width - 1 - end);
}
