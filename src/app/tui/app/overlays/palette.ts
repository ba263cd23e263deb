// The palette: finds any action, screen or object by a few letters of its name, and says what Enter
// will do and which command does the same.

import type { OverlayAction } from "../../actions/actions.ts";
import { drawJoinedLine } from "../../look/box.ts";
import type { Rectangle, Screen } from "../../terminal/cells.ts";
import { fit, textWidth } from "../../../../kit/support/text/text-width.ts";
import { type Hint, hintText } from "../../../../kit/support/text/hint.ts";
import type { Key } from "../../terminal/keys.ts";
import { LineEditor } from "./line-editor.ts";
import type { Overlay } from "./overlay.ts";
import { type DrawnRows, drawOverlay, isOver, NO_ROWS, rowAt } from "./overlay-box.ts";
import { drawPieces, keyPieces, type Piece } from "../../look/pieces.ts";
import { wrap } from "../../panes/row-lines.ts";
import { beginRow } from "../../look/row.ts";
import { spokenCells, type SpokenLine, type SpokenSize } from "../../look/speech.ts";
import type { Look } from "../../look/theme.ts";

/** A line that the palette offers. */
export interface Choice {
  readonly text: string;
  readonly detail: string;
  /** The key that does it without the palette. */
  readonly key?: string;
  /** Why it cannot be done now. */
  readonly off?: string;
  /** Other words for it. */
  readonly aliases?: readonly string[];
  /** The command that does the same. */
  readonly command?: Hint;
  /**
   * It is a command of this path, which Tab completes. It comes after actions and objects, unless
   * the path is what was typed.
   */
  readonly path?: string;
  readonly run: () => void;
}

/** Rows of choices: as many however few there are, so that nothing jumps. */
const CHOICES = 10;
/** Rows about the chosen line: its effect, and the command. */
const EXPLAINED = 3;
/** Rows of the line that is typed, and the line below it. */
const INPUT = 2;
/** Columns of the names. */
const NAMES = 32;
/** Columns of the keys. */
const KEYS = 7;
/** Blanks between a name and what it does. */
const GAP = 2;

/** Purpose of a palette. */
interface PaletteOptions {
  readonly history: string[];
  readonly choices: (text: string) => readonly Choice[];
  /** How many there are in all. */
  readonly count: () => number;
  /** The text matches nothing. */
  readonly unknown: (text: string) => void;
}

/** The palette over a screen. */
export class PaletteOverlay implements Overlay {
  readonly context = "text";
  readonly whole = false;
  readonly prompt = undefined;
  readonly cursor = undefined;
  readonly #line: LineEditor;
  #at = 0;
  /** Where its choices are. */
  #drawn: DrawnRows = NO_ROWS;

  constructor(readonly options: PaletteOptions) {
    this.#line = new LineEditor("", options.history);
  }

  key(key: Key, action: OverlayAction | undefined): boolean {
    switch (action?.name) {
      case "text.accept":
        return this.#accept();
      case "text.leave":
      case "cancel":
        return false;
      case "text.older":
      case "text.newer":
        this.scroll(action.name === "text.older" ? -1 : 1);
        return true;
    }
    const other = key.name === "Tab" ? this.#complete() : this.#line.key(key, action);
    if (other) this.#at = 0;
    return true;
  }

  #accept(): false {
    this.#line.keep();
    const chosen = this.#chosen();
    if (chosen) chosen.run();
    else this.options.unknown(this.#line.text);
    return false;
  }

  click(x: number, y: number): boolean {
    const at = rowAt(this.#drawn, x, y);
    if (at === undefined || !this.#choices[at]) return isOver(this.#drawn, x, y);
    this.#at = at;
    return this.#accept();
  }

  scroll(rows: number): void {
    this.#at = Math.max(this.#at + rows, 0);
    this.#chosen();
  }

  get #choices(): readonly Choice[] {
    return this.options.choices(this.#line.text);
  }

  /** The choice that is marked: objects come and go, so the list may have become shorter. */
  #chosen(choices = this.#choices): Choice | undefined {
    this.#at = Math.min(this.#at, Math.max(choices.length - 1, 0));
    return choices[this.#at];
  }

  #complete(): boolean {
    const chosen = this.#chosen();
    return chosen !== undefined && this.#line.set(chosen.path === undefined ? chosen.text : `${chosen.path} `);
  }

  draw(screen: Screen, area: Rectangle, look: Look): void {
    const { text } = this.#line, choices = this.options.choices(text), chosen = this.#chosen(choices);
    const inside = drawOverlay(screen, look, area, {
      title: {
        text: "Commands",
        count: `${choices.length} of ${this.options.count()}`,
        bottom: [...keyPieces("Tab", "complete  "), ...keyPieces("Enter", "run  "), ...keyPieces("Esc", "close")],
      },
      rows: INPUT + CHOICES + 1 + EXPLAINED,
      columns: Infinity,
    });
    screen.text(inside.x + 1, inside.y, ":", look.key);
    screen.text(inside.x + 3, inside.y, fit(text, inside.width - 5), look.style("strong"));
    screen.cursor = { x: Math.min(inside.x + 3 + textWidth(text.slice(0, this.#line.at)), inside.x + inside.width - 1), y: inside.y };
    drawJoinedLine(screen, look, { ...inside, y: inside.y + 1, height: 1 });
    const rows = Math.max(inside.height - INPUT - 1 - EXPLAINED, 1);
    const top = Math.max(0, this.#at - rows + 1);
    const list = { ...inside, y: inside.y + INPUT, height: rows };
    this.#drawn = { rows: list, top, above: INPUT, below: Math.max(inside.height - INPUT - rows, 0) };
    choices.slice(top, top + rows).forEach((choice, index) => {
      const row = { ...inside, y: inside.y + INPUT + index, height: 1 };
      drawChoice(screen, look, row, choice, text, top + index === this.#at);
    });
    const below = { ...inside, y: inside.y + INPUT + rows, height: 1 };
    if (below.y + EXPLAINED < inside.y + inside.height) drawExplained(screen, look, below, chosen);
  }

  spoken(_look: Look, { height }: SpokenSize): readonly SpokenLine[] {
    const { text } = this.#line, choices = this.options.choices(text), chosen = this.#chosen(choices);
    const top = Math.max(0, this.#at - height + 1);
    const lines = choices.slice(top, top + height).map((choice) =>
      spokenCells([choice.text, choice.key ?? "", choice.off ?? choice.detail].map((cell) => [{ text: cell }]), choice === chosen)
    );
    const shell = chosen?.command === undefined ? [] : [{ parts: ["shell", hintText(chosen.command)] }];
    return [{ parts: ["Commands", `${choices.length} of ${this.options.count()}`, text] }, ...lines, ...shell];
  }
}

function drawChoice(screen: Screen, look: Look, row: Rectangle, choice: Choice, typed: string, selected: boolean): void {
  const { text, detail, key = "", off } = choice;
  beginRow(screen, look, row, { selected: selected ? "here" : undefined }, false);
  const pieces = matchedPieces(text, typed, off !== undefined);
  const room = row.width - 3;
  const used = drawPieces(screen, look, row.x + 2, row.y, pieces, room);
  const at = Math.max(used + GAP, Math.min(NAMES, room >> 1));
  const about: Piece[] = [{ text: key.padEnd(KEYS), role: "accent" }, { text: off ?? detail, role: off === undefined ? "dim" : "warn" }];
  drawPieces(screen, look, row.x + 2 + at, row.y, about, room - at);
}

/** The effect of Enter, and the equivalent command. */
function drawExplained(screen: Screen, look: Look, area: Rectangle, chosen: Choice | undefined): void {
  drawJoinedLine(screen, look, area);
  if (!chosen) return;
  const { detail, off, command } = chosen;
  const lines = wrap(off ?? detail, 0, area.width - 2).slice(0, command === undefined ? EXPLAINED : EXPLAINED - 1);
  lines.forEach((line, row) =>
    screen.text(area.x + 2, area.y + 1 + row, fit(line, area.width - 3), look.style(off === undefined ? "text" : "warn"))
  );
  if (command === undefined) return;
  drawPieces(
    screen,
    look,
    area.x + 2,
    area.y + EXPLAINED,
    [{ text: "shell  ", role: "dim" }, { text: hintText(command), role: "link" }],
    area.width - 3,
  );
}

/** A name with the letters that were typed. */
function matchedPieces(text: string, typed: string, off: boolean): Piece[] {
  const hits = new Set(matchOf(typed.trim().toLowerCase(), text.toLowerCase()));
  return [...text].map((letter, index): Piece =>
    hits.has(index) ? { text: letter, role: "accent", bold: true } : { text: letter, role: off ? "dim" : "text" }
  );
}

/** Which letters of a name were typed, best together; empty if not all occur in this order. */
function matchOf(typed: string, name: string): number[] {
  const together = name.indexOf(typed);
  if (together >= 0) return Array.from(typed, (_, index) => together + index);
  const found: number[] = [];
  for (const letter of typed) {
    const at = name.indexOf(letter, (found.at(-1) ?? -1) + 1);
    if (at < 0) return [];
    found.push(at);
  }
  return found;
}

/** The offers that suit a text, best first. */
export function suiting(text: string, offers: readonly Choice[]): Choice[] {
  const wanted = text.trim().toLowerCase();
  return offers.map((offer) => ({ offer, score: score(wanted, offer) })).filter((one) => one.score >= 0)
    .sort((a, b) => b.score - a.score).map(({ offer }) => offer);
}

/**
 * Another word for it at the start; then letters in order, better if they are adjacent, best
 * at the start; -1 where they do not occur.
 */
function score(wanted: string, choice: Choice): number {
  const { path } = choice;
  if (path === undefined || wanted === "") return nameScore(wanted, choice);
  return path === wanted ? 3500 : nameScore(wanted, choice) / 100;
}

function nameScore(wanted: string, { text, detail, aliases, path = text }: Choice): number {
  if (wanted === "") return 0;
  if (aliases?.includes(wanted)) return 4000;
  const name = text.toLowerCase();
  if (name.startsWith(wanted)) return 3000 - name.length;
  if (name.includes(wanted)) return 2000 - name.length;
  // Letters in order are those of a command's name: its arguments have nearly all.
  if (matchOf(wanted, path.toLowerCase()).length === 0) return detail.toLowerCase().includes(wanted) ? 100 : -1;
  return 1000 - name.length;
}
