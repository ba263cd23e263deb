// Overlays on a screen, which take the keys until they close: menus, lines to scroll, a line of
// text.

import type { ActionsOf, OverlayAction, OverlayContext } from "../../actions/actions.ts";
import { drawFrame, drawThumb, insideOf } from "../../look/box.ts";
import type { Rectangle, Screen } from "../../terminal/cells.ts";
import { fit, textWidth, withoutColumns } from "../../../../kit/support/text/text-width.ts";
import type { Key } from "../../terminal/keys.ts";
import { LineEditor } from "./line-editor.ts";
import type { Line } from "../../panes/pane.ts";
import { type DrawnRows, drawOverlay, isOver, NO_ROWS, rowAt } from "./overlay-box.ts";
import { drawPieces, type Piece, piecesWidth } from "../../look/pieces.ts";
import { beginRow } from "../../look/row.ts";
import { type SpokenLine, spokenPieces, type SpokenSize } from "../../look/speech.ts";
import type { Look } from "../../look/theme.ts";

/** Columns of a step to the right or the left. */
const STEP = 8;

/** A box, a menu or a prompt over the screen. */
export interface Overlay {
  readonly context: OverlayContext;
  /** Whether it replaces the body; otherwise it is in the lowest rows. */
  readonly whole: boolean;
  /** Takes a key. Returns false when the overlay is done. */
  key(key: Key, action: OverlayAction | undefined): boolean;
  /** Takes a click at a cell. Returns false when that closes the overlay, as outside its box. */
  click?(x: number, y: number): boolean;
  /** Takes a step of the wheel, in rows. */
  scroll?(rows: number): void;
  draw(screen: Screen, area: Rectangle, look: Look): void;
  /** Its text for screen readers, which is spoken instead. */
  spoken(look: Look, size: SpokenSize): readonly SpokenLine[];
  /** The message row while it is open. */
  readonly prompt: Line | undefined;
  /** Position of the cursor in the prompt. */
  readonly cursor: number | undefined;
}

/** Lines that replace the body, to scroll: an answer that does not fit the message row. */
export class LinesOverlay implements Overlay {
  readonly context = "help";
  readonly whole = true;
  readonly cursor = undefined;
  readonly prompt: Line = { text: "arrows, PgUp and PgDn scroll; Esc closes", role: "dim" };
  #top = 0;
  #left = 0;
  #page = 1;
  readonly #longest: number;

  constructor(readonly heading: string, readonly lines: readonly Line[]) {
    this.#longest = lines.reduce((most, { text }) => Math.max(most, textWidth(text)), 0);
  }

  key(key: Key, action: OverlayAction | undefined): boolean {
    if (action?.name === "help.leave" || action?.name === "cancel") return false;
    const by =
      { Down: 1, j: 1, Up: -1, k: -1, PgDn: this.#page, Space: this.#page, PgUp: -this.#page, Home: -Infinity, End: Infinity }[key.name];
    if (by !== undefined) this.#top += by;
    this.#left += { Right: STEP, l: STEP, Left: -STEP, h: -STEP }[key.name] ?? 0;
    return true;
  }

  scroll(rows: number): void {
    this.#top += rows;
  }

  draw(screen: Screen, area: Rectangle, look: Look): void {
    const { height, width } = insideOf(area, true);
    this.#page = height;
    this.#top = Math.max(Math.min(this.#top, this.lines.length - height), 0);
    this.#left = Math.max(Math.min(this.#left, this.#longest - width + 2), 0);
    this.#drawFrom(screen, area, look);
  }

  /** Draws the lines in a box, from the first shown line and column on. */
  #drawFrom(screen: Screen, area: Rectangle, look: Look): void {
    const { heading, lines } = this, top = this.#top, height = this.#page, count = lines.length, last = Math.min(top + height, count);
    screen.fill(area, "overlay");
    const bottom: Piece[] | undefined = count > height ? [{ text: `${last} of ${count}`, role: "dim" }] : undefined;
    const inside = drawFrame(screen, look, area, { text: heading, bottom }, { boxed: true, kind: "focused", focus: true });
    drawThumb(screen, look, area, true, { top, height, count }, "focused");
    lines.slice(top, last).forEach(({ text, role = "text" }, row) => {
      screen.text(inside.x + 1, inside.y + row, fit(withoutColumns(text, this.#left), inside.width - 2), look.style(role));
    });
  }

  spoken(_look: Look, { height }: SpokenSize): readonly SpokenLine[] {
    this.#page = height;
    const top = this.#top = Math.max(Math.min(this.#top, this.lines.length - height), 0);
    return [{ parts: [this.heading] }, ...this.lines.slice(top, top + height).map((line) => spokenPieces([line]))];
  }
}

/** A line of a menu. */
export interface MenuItem {
  /** The letter that performs it at once. */
  readonly key?: string;
  readonly label: string;
  /** Shown after the label: the command that does the same. */
  readonly detail?: string;
  /** The reason why it is unavailable. */
  readonly reason?: string;
  /** Marked as dangerous. */
  readonly danger?: boolean;
  readonly run: () => void;
}

/** A menu in the lowest rows. */
export class MenuOverlay implements Overlay {
  readonly context = "menu";
  readonly whole = false;
  readonly cursor = undefined;
  #at: number;
  #said = "";
  /** Where its lines are. */
  #drawn: DrawnRows = NO_ROWS;

  constructor(readonly heading: string, readonly items: readonly MenuItem[]) {
    this.#at = Math.max(items.findIndex(({ reason }) => reason === undefined), 0);
  }

  get prompt(): Line {
    return { text: this.#said || "press a letter or Enter; Esc cancels", role: this.#said ? "warn" : "dim" };
  }

  key(key: Key, action: OverlayAction | undefined): boolean {
    if (action?.context === "menu") return this.#handlers[action.name]();
    if (action?.name === "cancel") return false;
    const item = this.items.find((one) => one.key === key.name);
    if (item) return this.#choose(item);
    this.#said = `no action on "${key.name}"`;
    return true;
  }

  /** Handlers of a menu's actions; false when the menu is done. */
  readonly #handlers: Readonly<Record<ActionsOf["menu"]["name"], () => boolean>> = {
    "menu.down": () => this.#select(this.#at + 1),
    "menu.up": () => this.#select(this.#at - 1),
    "menu.choose": () => this.#choose(this.items[this.#at]),
    "menu.leave": () => false,
  };

  #select(at: number): true {
    this.#at = Math.min(Math.max(at, 0), this.items.length - 1);
    return true;
  }

  click(x: number, y: number): boolean {
    const at = rowAt(this.#drawn, x, y);
    if (at === undefined || !this.items[at]) return isOver(this.#drawn, x, y);
    this.#select(at);
    return this.#choose(this.items[at]);
  }

  scroll(rows: number): void {
    this.#select(this.#at + rows);
  }

  #choose(item: MenuItem | undefined): boolean {
    if (!item) return false;
    if (item.reason !== undefined) {
      this.#said = `${item.label}: ${item.reason}`;
      return true;
    }
    item.run();
    return false;
  }

  draw(screen: Screen, area: Rectangle, look: Look): void {
    const labels = Math.max(...this.items.map(labelWidth));
    const inside = drawOverlay(screen, look, area, {
      title: { text: this.heading },
      rows: this.items.length,
      columns: Math.max(...this.items.map((item) => piecesWidth(itemPieces(item, labels)))) + 2,
    });
    const top = Math.max(0, this.#at - inside.height + 1);
    this.#drawn = { rows: inside, top };
    this.items.slice(top, top + inside.height).forEach((item, index) => {
      const row = { ...inside, y: inside.y + index, height: 1 };
      beginRow(screen, look, row, { selected: top + index === this.#at ? "here" : undefined }, false);
      drawPieces(screen, look, row.x + 1, row.y, itemPieces(item, labels), row.width - 2);
    });
  }

  spoken(_look: Look, { height }: SpokenSize): readonly SpokenLine[] {
    const top = Math.max(0, this.#at - height + 1);
    const lines = this.items.slice(top, top + height).map((item, index) => spokenPieces(itemPieces(item, 0), top + index === this.#at));
    return [{ parts: [this.heading] }, ...lines];
  }
}

/** Columns of a label, with its mark. */
const labelWidth = ({ label, danger }: MenuItem) => textWidth(label) + (danger ? 2 : 0);

/** A line of a menu: its key, its label, and its command or the reason why it is unavailable. */
function itemPieces(item: MenuItem, labels: number): Piece[] {
  const { key = "", danger, label, detail, reason } = item;
  const behind = reason ?? detail;
  return [
    { text: ` ${key.padEnd(2)} `, role: reason ? "dim" : "accent", bold: !reason },
    ...danger ? [{ text: "! ", role: "bad" } as const] : [],
    { text: label, role: reason ? "dim" : "text" },
    ...behind === undefined ? [] : [
      { text: " ".repeat(Math.max(labels - labelWidth(item), 0) + 3) },
      { text: behind, role: reason ? "warn" : "dim" } as const,
    ],
  ];
}

/** Purpose of a line of text. */
interface TextOptions {
  /** The sign before it. */
  readonly sign: string;
  readonly text?: string;
  readonly history?: string[];
  /** Called after each change; a returned line is an error, shown instead of the text. */
  readonly changed?: (text: string) => Line | undefined;
  readonly accept: (text: string) => void;
  readonly leave?: () => void;
}

/** A line of text in the message row, with emacs keys and history. */
export class TextOverlay implements Overlay {
  readonly context = "text";
  readonly whole = false;
  readonly #line: LineEditor;
  #wrong: Line | undefined;

  constructor(readonly options: TextOptions) {
    this.#line = new LineEditor(options.text, options.history);
  }

  get prompt(): Line {
    return this.#wrong ?? { text: `${this.options.sign}${this.#line.text}` };
  }

  get cursor(): number | undefined {
    return this.#wrong ? undefined : this.options.sign.length + this.#line.at;
  }

  key(key: Key, action: OverlayAction | undefined): boolean {
    const { changed, accept, leave } = this.options;
    switch (action?.name) {
      case "text.accept":
        this.#line.keep();
        accept(this.#line.text);
        return false;
      case "text.leave":
      case "cancel":
        leave?.();
        return false;
    }
    const older = action?.name === "text.older", newer = action?.name === "text.newer";
    const other = older || newer ? this.#line.recall(older ? -1 : 1) : this.#line.key(key, action);
    if (other) this.#wrong = changed?.(this.#line.text);
    return true;
  }

  draw(): void {}

  /** Its prompt is in the message row. */
  spoken(): readonly SpokenLine[] {
    return [];
  }
}
