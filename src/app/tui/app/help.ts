// The help: the keys of the focused pane, then every action with its keys; and a search.

import type { Action, ActionName, Context, OverlayAction } from "../actions/actions.ts";
import { drawJoinedLine, drawThumb } from "../look/box.ts";
import type { Rectangle, Screen } from "../terminal/cells.ts";
import { fit } from "../../../kit/support/text/text-width.ts";
import type { Keymap } from "../actions/keymap.ts";
import { type Key, keyText } from "../terminal/keys.ts";
import type { OwnProgram } from "./services/own-program.ts";
import type { Overlay } from "./overlays/overlay.ts";
import { type DrawnRows, drawOverlay, isOver, NO_ROWS } from "./overlays/overlay-box.ts";
import { drawPieces, keyPieces, type Piece } from "../look/pieces.ts";
import { OBJECT_LINES } from "./doing/object-menus.ts";
import type { FileCommand } from "../../configuration/keys/commands.ts";
import { spokenCells, type SpokenLine, type SpokenSize } from "../look/speech.ts";
import type { Look } from "../look/theme.ts";

/** Columns of keys, and of what they do where names of actions follow. */
const KEYS = 13;
const WORDS = 56;
/** Width from which a box has room for the names of actions, by which keys can be changed. */
const NAMES_FROM = 92;
/** Rows of the search, and of the line below it. */
const SEARCH = 2;
/** More keys than these are said as a range. */
const FEW_KEYS = 4;
/** Rows of a page. */
const PAGE = 10;

const CONTEXTS: readonly Context[] = ["lists", "window", "everywhere", "console", "prefix", "menu", "text", "help"];

type Shown = Pick<Action, "keys" | "help"> & { readonly name: string };

/** The actions on the selected object: a search finds them, too. */
const ON_OBJECTS: readonly Shown[] = OBJECT_LINES.map(({ key, name, label, on, danger }) => ({
  keys: [`${danger ? "!" : "a"} ${key}`],
  name,
  help: `${label} (${on.join(", ")})`,
}));

/** The focused screen and pane. */
export interface Here {
  /** Titles of the screen and the pane. */
  readonly title: string;
  /** Names of the actions that are used there, most useful first. */
  readonly actions: readonly ActionName[];
}

export class HelpOverlay implements Overlay {
  readonly context = "help";
  readonly whole = false;
  readonly prompt = undefined;
  readonly cursor = undefined;
  readonly #own: readonly Shown[];
  #search = "";
  #top = 0;
  /** Where its lines are. */
  #drawn: DrawnRows = NO_ROWS;

  /**
   * @param commands the user's own commands
   * @param program whose commands a search finds, too
   */
  constructor(
    readonly keymap: Keymap,
    readonly here: Here,
    commands: readonly FileCommand[] = [],
    readonly program?: Pick<OwnProgram, "about">,
  ) {
    this.#own = commands.map(({ key, name, run, where }) => ({
      keys: [key ?? "a"],
      name,
      help: `${run.join(" ")}${where ? ` (${where.join(", ")})` : ""}`,
    }));
  }

  key(key: Key, action: OverlayAction | undefined): boolean {
    if (key.name === "Down" || key.name === "PgDn") this.#top += key.name === "Down" ? 1 : PAGE;
    else if (key.name === "Up" || key.name === "PgUp") this.#top = Math.max(0, this.#top - (key.name === "Up" ? 1 : PAGE));
    else if (key.name === "Backspace") this.#search = this.#search.slice(0, -1);
    // A letter begins a word to search for, also where it closes other overlays.
    else if (action?.name === "help.leave" && (key.name.length > 1 || key.name === "?" && this.#search === "")) return false;
    else if (key.name.length === 1 || key.name === "Space") {
      this.#search += keyText(key);
      this.#top = 0;
    }
    return true;
  }

  click(x: number, y: number): boolean {
    return isOver(this.#drawn, x, y);
  }

  scroll(rows: number): void {
    this.#top += rows;
  }

  draw(screen: Screen, area: Rectangle, look: Look): void {
    const { count, lines } = this.#found;
    const inside = drawOverlay(screen, look, area, {
      title: {
        text: "Help",
        count,
        bottom: [...keyPieces("arrows", "scroll  ", ""), ...keyPieces("Esc", "close")],
      },
      rows: SEARCH + lines.length,
      columns: Infinity,
    });
    screen.text(inside.x + 1, inside.y, "/", look.key);
    if (this.#search) screen.text(inside.x + 3, inside.y, fit(this.#search, inside.width - 5), look.style("strong"));
    else screen.text(inside.x + 3, inside.y, "type to search", look.style("dim"));
    screen.cursor = { x: Math.min(inside.x + 3 + this.#search.length, inside.x + inside.width - 1), y: inside.y };
    drawJoinedLine(screen, look, { ...inside, y: inside.y + 1, height: 1 });
    const height = inside.height - SEARCH;
    this.#top = Math.max(Math.min(this.#top, lines.length - height), 0);
    this.#drawn = { rows: { ...inside, y: inside.y + SEARCH, height }, top: this.#top, above: SEARCH };
    lines.slice(this.#top, this.#top + height).forEach((line, row) => {
      const y = inside.y + SEARCH + row;
      if (typeof line === "string") screen.text(inside.x + 1, y, fit(line, inside.width - 2), look.style("strong"));
      else drawPieces(screen, look, inside.x + 2, y, this.#pieces(line, inside.width >= NAMES_FROM), inside.width - 3);
    });
    const box = { x: inside.x - 1, y: inside.y - 1, width: inside.width + 2, height: inside.height + 2 };
    drawThumb(screen, look, box, true, { top: this.#top, height, count: lines.length }, "focused");
  }

  spoken(_look: Look, { height }: SpokenSize): readonly SpokenLine[] {
    const { count, lines } = this.#found;
    this.#top = Math.max(Math.min(this.#top, lines.length - height), 0);
    const shown = lines.slice(this.#top, this.#top + height).map((line) =>
      spokenCells((typeof line === "string" ? [line] : [line.keys.join(" "), line.help]).map((text) => [{ text }]))
    );
    return [{ parts: ["Help", count, this.#search || "type to search"] }, ...shown];
  }

  /** The matches of the search, or all actions. */
  get #found(): { readonly count: string; readonly lines: readonly (string | Shown)[] } {
    const { keymap: { actions } } = this;
    const found = actions.filter((action) => matches(action, this.#wanted));
    const objects = this.#search ? ON_OBJECTS.filter((action) => matches(action, this.#wanted)) : [];
    const own = this.#own.filter((command) => matches(command, this.#wanted));
    const count = this.#search
      ? `${found.length + objects.length + own.length} of ${actions.length + ON_OBJECTS.length + this.#own.length} actions`
      : `${actions.length + this.#own.length} actions`;
    return { count, lines: this.#sections(found, objects, own, this.#commands()) };
  }

  /** The commands that the search is about. */
  #commands(): Shown[] {
    const words = this.#wanted.split(/\s+/).filter((word) => word !== ""), { program, keymap } = this;
    if (words.length === 0 || !program) return [];
    return program.about(words).map(({ path, help }) => ({ keys: [keymap.keyOf("palette.show")], name: path, help: `${path}: ${help}` }));
  }

  get #wanted(): string {
    return this.#search.toLowerCase();
  }

  /** Headings, and the actions below them: first what is used here. */
  #sections(
    found: readonly Action[],
    objects: readonly Shown[],
    commands: readonly Shown[],
    ofProgram: readonly Shown[],
  ): (string | Shown)[] {
    const lines: (string | Shown)[] = [];
    const own = this.here.actions.flatMap((name) => found.filter((action) => action.name === name));
    if (own.length && !this.#search) lines.push(this.here.title, ...own, "");
    if (commands.length) lines.push("your commands", ...commands, "");
    for (const context of CONTEXTS) {
      const actions = found.filter((action) => action.context === context);
      if (actions.length) lines.push(this.keymap.titleOf(context), ...actions, "");
    }
    if (objects.length) lines.push("selected object", ...objects, "");
    if (ofProgram.length) lines.push("commands", ...ofProgram, "");
    lines.pop();
    return lines.length ? lines : ["no matching action"];
  }

  #pieces({ keys, name, help }: Shown, names: boolean): Piece[] {
    const shown = keys.length > FEW_KEYS ? `${keys[0]} … ${keys.at(-1)}` : keys.join("  ");
    return [
      { text: shown.padEnd(KEYS - 1), role: "accent", bold: true },
      { text: " " },
      ...hits(names ? fit(help, WORDS).padEnd(WORDS) : help, this.#wanted, "text"),
      ...names ? [{ text: " " }, ...hits(name, this.#wanted, "dim")] : [],
    ];
  }
}

/** A text with what was searched. */
function hits(text: string, wanted: string, role: "text" | "dim"): Piece[] {
  const at = wanted === "" ? -1 : text.toLowerCase().indexOf(wanted);
  if (at < 0) return [{ text, role }];
  const end = at + wanted.length;
  return [{ text: text.slice(0, at), role }, { text: text.slice(at, end), role: "strong", fill: "hitbg" }, { text: text.slice(end), role }];
}

/** By key, name or words. */
function matches({ keys, name, help }: Shown, wanted: string): boolean {
  return wanted === "" || keys.some((key) => key.toLowerCase() === wanted) || name.includes(wanted) || help.toLowerCase().includes(wanted);
}
