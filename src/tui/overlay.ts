// What lies over a screen and takes the keys until it goes: help, menus, questions, a line of text.

import { type Action, type Context, type Keymap } from "./actions.ts";
import { drawFrame, drawLine, drawThumb, insideOf } from "./box.ts";
import type { Rectangle, Screen } from "./cells.ts";
import { fit } from "./graphemes.ts";
import { type Key, keyText } from "./keys.ts";
import type { Line } from "./pane.ts";
import { drawOverlay } from "./overlay-box.ts";
import { drawPieces, type Piece, piecesWidth } from "./pieces.ts";
import { wrap } from "./records.ts";
import { beginRow } from "./row.ts";
import type { Look } from "./theme.ts";

/** Something over the screen. */
export interface Overlay {
  readonly context: Context;
  /** Whether it stands in place of the body; else in the lowest rows. */
  readonly whole: boolean;
  /** Takes a key. Returns false when the overlay is done. */
  key(key: Key, action: Action | undefined): boolean;
  draw(screen: Screen, area: Rectangle, look: Look): void;
  /** What the message row says, while it is there. */
  readonly prompt: Line | undefined;
  /** Where the cursor stands in the prompt. */
  readonly cursor: number | undefined;
}

/** Rows of choices that a prompt shows: as many however few there are, so that nothing jumps. */
const CHOICES = 10;
/** Rows in which the chosen one is explained. */
const EXPLAINED = 2;

/** Terminals at least so wide have room for the names of actions in the help. */
const NAMES_FROM = 104;

/** The help: every action with its keys, and a search. */
export class HelpOverlay implements Overlay {
  readonly context = "help";
  readonly whole = true;
  readonly cursor = undefined;
  #search = "";
  #top = 0;

  constructor(readonly keymap: Keymap) {}

  get prompt(): Line {
    return { text: this.#search ? `search: ${this.#search}` : "type to search; Esc leaves", role: "dim" };
  }

  key(key: Key, action: Action | undefined): boolean {
    if (key.name === "Down" || key.name === "PgDn") this.#top += key.name === "Down" ? 1 : 10;
    else if (key.name === "Up" || key.name === "PgUp") this.#top = Math.max(0, this.#top - (key.name === "Up" ? 1 : 10));
    else if (key.name === "Backspace") this.#search = this.#search.slice(0, -1);
    else if (action?.name === "help.leave" && (this.#search === "" || key.name.length > 1)) return false;
    else if (key.name.length === 1 || key.name === "Space") {
      this.#search += keyText(key);
      this.#top = 0;
    }
    return true;
  }

  draw(screen: Screen, area: Rectangle, look: Look): void {
    const lines = this.#lines(area.width >= NAMES_FROM);
    this.#top = drawScrolled(screen, look, area, "Help", lines, this.#top);
  }

  /** @param names with the actions' names, by which keys can be changed */
  #lines(names: boolean): Line[] {
    const wanted = this.#search.toLowerCase();
    const lines: Line[] = [];
    for (const context of ["lists", "window", "everywhere", "console", "prefix", "menu", "text", "help"] as const) {
      const actions = this.keymap.actions.filter((action) => action.context === context && matches(action, wanted));
      if (actions.length) lines.push({ text: this.keymap.titleOf(context), role: "strong" });
      for (const { keys, name, help } of actions) {
        lines.push({ text: ` ${keys.join("  ").padEnd(16)} ${names ? `${help.padEnd(66)} ${name}` : help}` });
      }
    }
    return lines.length ? lines : [{ text: "no action is called that", role: "dim" }];
  }
}

/** By key, name or words. */
function matches({ keys, name, help }: Action, wanted: string): boolean {
  return wanted === "" || keys.some((key) => key.toLowerCase() === wanted) || name.includes(wanted) || help.toLowerCase().includes(wanted);
}

/** Lines in place of the body, to scroll: what was asked for and does not fit the message row. */
export class LinesOverlay implements Overlay {
  readonly context = "help";
  readonly whole = true;
  readonly cursor = undefined;
  readonly prompt: Line = { text: "arrows and PgUp PgDn scroll; Esc leaves", role: "dim" };
  #top = 0;
  #page = 1;

  constructor(readonly heading: string, readonly lines: readonly Line[]) {}

  key(key: Key, action: Action | undefined): boolean {
    if (action?.name === "help.leave" || action?.name === "cancel") return false;
    const by =
      { Down: 1, j: 1, Up: -1, k: -1, PgDn: this.#page, Space: this.#page, PgUp: -this.#page, Home: -Infinity, End: Infinity }[key.name];
    if (by !== undefined) this.#top += by;
    return true;
  }

  draw(screen: Screen, area: Rectangle, look: Look): void {
    this.#page = insideOf(area, true).height;
    this.#top = drawScrolled(screen, look, area, this.heading, this.lines, this.#top);
  }
}

/** A line of a menu. */
export interface MenuItem {
  /** The letter that does it at once. */
  readonly key?: string;
  readonly label: string;
  /** Why it cannot be done. */
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

  constructor(readonly heading: string, readonly items: readonly MenuItem[]) {
    this.#at = Math.max(items.findIndex(({ reason }) => reason === undefined), 0);
  }

  get prompt(): Line {
    return { text: this.#said || "press a letter or Enter; Esc cancels", role: this.#said ? "warn" : "dim" };
  }

  key(key: Key, action: Action | undefined): boolean {
    switch (action?.name) {
      case "menu.leave":
      case "cancel":
        return false;
      case "menu.down":
        this.#at = Math.min(this.#at + 1, this.items.length - 1);
        return true;
      case "menu.up":
        this.#at = Math.max(this.#at - 1, 0);
        return true;
      case "menu.choose":
        return this.#choose(this.items[this.#at]);
    }
    const item = this.items.find((one) => one.key === key.name);
    if (item) return this.#choose(item);
    this.#said = `no action on "${key.name}"`;
    return true;
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
    const inside = drawOverlay(screen, look, area, {
      title: { text: this.heading },
      rows: this.items.length,
      columns: Math.max(...this.items.map((item) => itemWidth(item))) + 2,
    });
    const top = Math.max(0, this.#at - inside.height + 1);
    this.items.slice(top, top + inside.height).forEach((item, index) => {
      const row = { ...inside, y: inside.y + index, height: 1 };
      beginRow(screen, look, row, { selected: top + index === this.#at ? "here" : undefined }, false);
      drawPieces(screen, look, row.x + 1, row.y, itemPieces(item), row.width - 2);
    });
  }
}

/** A line of a menu: its key, what it does, why it cannot be done. */
function itemPieces({ key = "", danger, label, reason }: MenuItem): Piece[] {
  return [
    { text: ` ${key.padEnd(2)} `, role: reason ? "dim" : "accent", bold: !reason },
    ...danger ? [{ text: "! ", role: "bad" } as const] : [],
    { text: label, role: reason ? "dim" : "text" },
    ...reason ? [{ text: `   ${reason}`, role: "warn" } as const] : [],
  ];
}

const itemWidth = (item: MenuItem) => piecesWidth(itemPieces(item));

/** Draws lines in a box, from one of them on; gives from which, so that the last page is full. */
function drawScrolled(screen: Screen, look: Look, area: Rectangle, heading: string, lines: readonly Line[], top: number): number {
  const { height } = insideOf(area, true);
  const first = Math.max(Math.min(top, lines.length - height), 0), last = Math.min(first + height, lines.length);
  screen.fill(area, "overlay");
  const inside = drawFrame(
    screen,
    look,
    area,
    true,
    { text: heading, bottom: lines.length > height ? [{ text: `${last} of ${lines.length}`, role: "dim" }] : undefined },
    "focused",
    true,
  );
  drawThumb(screen, look, area, true, { top: first, height, count: lines.length }, "focused");
  lines.slice(first, last).forEach(({ text, role = "text" }, row) => {
    screen.text(inside.x + 1, inside.y + row, fit(text, inside.width - 2), look.style(role));
  });
  return first;
}

/** A question that only `y` answers with yes. */
export class ConfirmOverlay implements Overlay {
  readonly context = "menu";
  readonly whole = false;
  readonly cursor = undefined;

  constructor(readonly question: string, readonly yes: () => void) {}

  get prompt(): Line {
    return { text: `${this.question} y/N`, role: "warn" };
  }

  key(key: Key): boolean {
    if (key.name === "y") this.yes();
    return false;
  }

  draw(): void {}
}

/** What a line of text is for. */
export interface TextOptions {
  /** What stands before it. */
  readonly sign: string;
  readonly text?: string;
  readonly history?: string[];
  /** Called after each change; what it gives is shown instead of the text, as it is wrong. */
  readonly changed?: (text: string) => Line | undefined;
  readonly accept: (text: string) => void;
  readonly leave?: () => void;
  /** Lines to choose from, best first; the chosen one is accepted. */
  readonly choices?: (text: string) => readonly Choice[];
}

/** A line that a text prompt offers. */
export interface Choice {
  readonly text: string;
  readonly detail: string;
  readonly run: () => void;
}

/** A line of text in the message row, with emacs keys, history and a list of choices. */
export class TextOverlay implements Overlay {
  readonly context = "text";
  readonly whole = false;
  #text: string;
  #at: number;
  #wrong: Line | undefined;
  #history: number;
  #choice = 0;

  constructor(readonly options: TextOptions) {
    this.#text = options.text ?? "";
    this.#at = this.#text.length;
    this.#history = options.history?.length ?? 0;
  }

  get prompt(): Line {
    return this.#wrong ?? { text: `${this.options.sign}${this.#text}` };
  }

  get cursor(): number | undefined {
    return this.#wrong ? undefined : this.options.sign.length + this.#at;
  }

  key(key: Key, action: Action | undefined): boolean {
    const choices = this.options.choices?.(this.#text);
    switch (action?.name) {
      case "text.accept":
        return this.#accept(choices);
      case "text.leave":
      case "cancel":
        this.options.leave?.();
        return false;
      case "text.erase":
        this.#edit(this.#text.slice(0, Math.max(this.#at - 1, 0)), this.#text.slice(this.#at));
        return true;
      case "text.erase-word":
        this.#edit(this.#text.slice(0, this.#at).replace(/\S*\s*$/, ""), this.#text.slice(this.#at));
        return true;
      case "text.erase-line":
        this.#edit("", this.#text.slice(this.#at));
        return true;
      case "text.start":
        this.#at = 0;
        return true;
      case "text.end":
        this.#at = this.#text.length;
        return true;
      case "text.left":
        this.#at = Math.max(this.#at - 1, 0);
        return true;
      case "text.right":
        this.#at = Math.min(this.#at + 1, this.#text.length);
        return true;
      case "text.older":
      case "text.newer":
        this.#step(action.name === "text.older" ? -1 : 1, choices);
        return true;
    }
    if (key.name === "Tab" && choices?.length) this.#edit(choices[this.#choice]?.text ?? choices[0].text, "");
    else if (key.name === "Space" || key.name === "Paste" || [...key.name].length === 1) {
      this.#edit(this.#text.slice(0, this.#at) + keyText(key).replaceAll(/[\x00-\x1f\x7f]/g, ""), this.#text.slice(this.#at));
    }
    return true;
  }

  #edit(before: string, after: string): void {
    this.#text = before + after;
    this.#at = before.length;
    this.#choice = 0;
    this.#wrong = this.options.changed?.(this.#text);
  }

  #step(by: number, choices: readonly Choice[] | undefined): void {
    if (choices) {
      this.#choice = Math.min(Math.max(this.#choice + by, 0), choices.length - 1);
      return;
    }
    const { history } = this.options;
    if (!history?.length) return;
    this.#history = Math.min(Math.max(this.#history + by, 0), history.length);
    this.#edit(history[this.#history] ?? "", "");
  }

  #accept(choices: readonly Choice[] | undefined): boolean {
    const { history } = this.options;
    if (history && this.#text && history.at(-1) !== this.#text) history.push(this.#text);
    const chosen = choices?.[this.#choice];
    if (chosen) chosen.run();
    else this.options.accept(this.#text);
    return false;
  }

  draw(screen: Screen, area: Rectangle, look: Look): void {
    const choices = this.options.choices?.(this.#text);
    if (!choices) return;
    const inside = drawOverlay(screen, look, area, { title: { text: "Palette" }, rows: CHOICES + EXPLAINED + 1, columns: Infinity });
    const rows = Math.max(inside.height - EXPLAINED - 1, 1);
    const top = Math.max(0, this.#choice - rows + 1);
    choices.slice(top, top + rows).forEach(({ text, detail }, index) => {
      const row = { ...inside, y: inside.y + index, height: 1 };
      beginRow(screen, look, row, { selected: top + index === this.#choice ? "here" : undefined }, false);
      const used = screen.text(row.x + 2, row.y, fit(text, row.width - 3), look.style("text"));
      const at = Math.max(used + 2, 30);
      screen.text(row.x + 2 + at, row.y, fit(detail, row.width - at - 3), look.style("dim"));
    });
    const chosen = choices[this.#choice];
    if (!chosen || inside.height <= rows) return;
    const below = { ...inside, y: inside.y + rows, height: 1 };
    drawLine(screen, look, below);
    wrap(chosen.detail, 0, inside.width - 2).slice(0, EXPLAINED).forEach((line, index) => {
      screen.text(inside.x + 2, below.y + 1 + index, fit(line, inside.width - 3), look.style("text"));
    });
  }
}
