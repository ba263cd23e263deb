// The screen before any session: configurations, running sessions, guests and recordings. Browsing
// changes nothing; Enter acts on the selected row.

import { drawFrame, hasBoxes, insideOf } from "../../look/box.ts";
import type { Rectangle, Screen } from "../../terminal/cells.ts";
import { drawHints } from "../frame/foot.ts";
import { fit } from "../../../../kit/support/text/text-width.ts";
import type { Hint as KeyHint } from "../frame/hints.ts";
import { type Hint, hint, hintText } from "../../../../kit/support/text/hint.ts";
import { drawPieces, type Piece } from "../../look/pieces.ts";
import { beginRow } from "../../look/row.ts";
import type { Look } from "../../look/theme.ts";

/** The action of Enter on a row. */
type StartDeed =
  | { readonly kind: "run"; readonly what: string }
  | { readonly kind: "load"; readonly snapshot: string }
  | { readonly kind: "attach"; readonly session: string }
  | { readonly kind: "replay"; readonly recording: string }
  | { readonly kind: "tour" };

/** The command that does it. */
export function deedHint(deed: StartDeed): Hint {
  switch (deed.kind) {
    case "run":
      return hint("run", deed.what);
    case "load":
      return hint("up", deed.snapshot);
    case "attach":
      return hint("attach", deed.session);
    case "replay":
      return hint("replay", deed.recording, { tui: true });
    case "tour":
      return hint("tour");
  }
}

/** A row: its text, and the action of Enter. */
export interface StartRow {
  readonly name: string;
  readonly detail: string;
  /** Right end: an age, a size. */
  readonly right?: string;
  /** Undefined if no action is possible; `detail` says why. */
  readonly deed: StartDeed | undefined;
}

/** Rows of one kind. */
interface StartSection {
  /** The key that goes there. */
  readonly key: string;
  readonly title: string;
  /** The command that lists the same. */
  readonly command: Hint;
  readonly rows: readonly StartRow[];
  /** The expected content, and how to get it. */
  readonly empty: readonly [what: string, how: string];
}

/** The content of the screen. */
export interface StartOffers {
  readonly sections: readonly [run: StartSection, sessions: StartSection, guests: StartSection, recordings: StartSection];
  /** Tutorials: a title and what it is about. */
  readonly learn: readonly (readonly [title: string, about: string])[];
  /** The session to which `q` returns. */
  readonly from?: string;
  readonly version: string;
}

/** The user's choice: an action, or quitting. */
export type StartChoice = StartDeed | { readonly kind: "leave" };

/** Columns at the most, so that lines can be read in one go. */
const WIDEST = 140;
/** Rows of the lines at the top, and of hints and the command below. */
const TOP = 3, BOTTOM = 2;
/** Columns of configurations and of guests, in a total of `OF`; rows of the upper boxes. */
const LEFT = 70, OF = 120, UPPER = 9, RULES_UPPER = 8, RULES_MIDDLE = 6;
/** Columns of names. */
const NAME = 24;

export class StartScreen {
  #section = 0;
  #at = [0, 0, 0, 0];

  constructor(readonly offers: StartOffers) {}

  /** Takes a key by its name. */
  key(name: string): StartChoice | undefined {
    const { sections } = this.offers, section = sections[this.#section];
    const found = sections.findIndex(({ key }) => key === name);
    if (found >= 0) this.#section = found;
    else if (name === "q" || name === "ctrl-c" || name === "Esc") return { kind: "leave" };
    else if (name === "Tab" || name === "S-Tab") {
      this.#section = (this.#section + (name === "Tab" ? 1 : sections.length - 1)) % sections.length;
    } else if (name === "j" || name === "Down") this.#move(1);
    else if (name === "k" || name === "Up") this.#move(-1);
    else if (name === "Home") this.#move(-Infinity);
    else if (name === "End") this.#move(Infinity);
    else if (name === "Enter") {
      return section.rows[this.#at[this.#section]]?.deed;
    }
    return undefined;
  }

  /** One row on, or back; over the end into the next section. */
  #move(by: number): void {
    const { sections } = this.offers, { rows } = sections[this.#section];
    const to = this.#at[this.#section] + by;
    if (to >= 0 && to < rows.length) this.#at[this.#section] = to;
    else if (Number.isFinite(by)) {
      const next = this.#section + by;
      if (next < 0 || next >= sections.length) return;
      this.#section = next;
      this.#at[next] = by > 0 ? 0 : Math.max(sections[next].rows.length - 1, 0);
    } else this.#at[this.#section] = by > 0 ? Math.max(rows.length - 1, 0) : 0;
  }

  draw(screen: Screen, look: Look): void {
    look.dress(screen);
    screen.clear();
    const { version, from } = this.offers;
    screen.fill({ x: 0, y: 0, width: screen.width, height: 1 }, "raised");
    const head: Piece[] = [
      { text: " el2 ", role: "ink", fill: "accent", bold: true },
      { text: from === undefined ? " nothing is configured in this folder" : ` session ${from} continues`, role: "dim" },
    ];
    drawPieces(screen, look, 0, 0, head, screen.width);
    screen.text(screen.width - version.length - 1, 0, version, look.style("dim"));
    const width = Math.min(screen.width, WIDEST), x = (screen.width - width) >> 1;
    screen.text(x + 1, 1, fit("Choose something to run, or attach to what runs. Browsing changes nothing.", width - 2), look.style("text"));
    const body = { x, y: TOP - 1, width, height: Math.max(screen.height - TOP - BOTTOM + 1, 1) };
    if (hasBoxes(screen)) this.#boxes(screen, look, body);
    else this.#rules(screen, look, body);
    drawHints(screen, look, screen.height - 2, this.#hints());
    const deed = this.#selected?.deed;
    if (deed) {
      drawPieces(
        screen,
        look,
        1,
        screen.height - 1,
        [{ text: "shell  ", role: "dim" }, { text: hintText(deedHint(deed)), role: "link" }],
        screen.width - 2,
      );
    }
  }

  get #selected(): StartRow | undefined {
    return this.offers.sections[this.#section].rows[this.#at[this.#section]];
  }

  #hints(): KeyHint[] {
    const verb = ["run", "attach", "run", "open"][this.#section];
    const keys = this.offers.sections.map(({ key, title }): KeyHint => ({ key, word: title.toLowerCase().split(" ", 1)[0] }));
    const back = this.offers.from === undefined ? "quit" : `back to ${this.offers.from}`;
    return [{ key: "Enter", word: verb }, { key: "Tab", word: "next" }, ...keys, { key: "q", word: back }];
  }

  #boxes(screen: Screen, look: Look, body: Rectangle): void {
    const left = Math.round(body.width * LEFT / OF), right = body.width - left;
    const [run, sessions, guests, recordings] = this.offers.sections;
    const longest = Math.max(run.rows.length, sessions.rows.length) + 2;
    const upper = Math.min(Math.max(longest, UPPER), Math.floor(body.height / 2));
    const rest = body.height - upper, learn = Math.min(this.offers.learn.length + 2, Math.max(rest - UPPER, 0));
    const middle = Math.min(rest - learn, Math.max(guests.rows.length + 3, UPPER));
    const at = (column: number, y: number, width: number, height: number) => ({ x: body.x + column, y, width, height });
    this.#draw(screen, look, at(0, body.y, left, upper), run, 0, true);
    this.#draw(screen, look, at(left, body.y, right, upper), sessions, 1, true);
    this.#draw(screen, look, at(0, body.y + upper, left, middle), guests, 2, true);
    this.#draw(screen, look, at(left, body.y + upper, right, middle), recordings, 3, true);
    if (learn) this.#learn(screen, look, at(0, body.y + upper + middle, body.width, learn));
  }

  #rules(screen: Screen, look: Look, body: Rectangle): void {
    const [run, sessions, guests, recordings] = this.offers.sections;
    const middle = Math.min(RULES_MIDDLE, Math.max(body.height - RULES_UPPER >> 1, 3));
    const upper = Math.max(Math.min(RULES_UPPER, body.height - 2 * middle), 3);
    const last = Math.max(body.height - upper - middle, 0);
    const at = (y: number, height: number) => ({ ...body, y, height });
    this.#draw(screen, look, at(body.y, upper), run, 0, false);
    this.#draw(screen, look, at(body.y + upper, middle), sessions, 1, false);
    // The last place is that of guests, until recordings have the keys.
    const shown = this.#section === 3 ? 3 : 2;
    this.#draw(screen, look, at(body.y + upper + middle, last), shown === 3 ? recordings : guests, shown, false);
  }

  #draw(screen: Screen, look: Look, area: Rectangle, section: StartSection, index: number, boxed: boolean): void {
    const focused = this.#section === index;
    const { key, title, command, rows, empty: [what, how] } = section;
    drawFrame(
      screen,
      look,
      area,
      {
        text: title,
        count: rows.length || undefined,
        right: [[{ text: hintText(command), role: "dim" }], [{ text: key, role: "accent", bold: true }]],
      },
      { boxed, kind: focused ? "focused" : "plain", focus: focused },
    );
    const inside = insideOf(area, boxed);
    if (!rows.length) {
      screen.text(inside.x + 2, inside.y, fit(what, inside.width - 3), look.style("text"));
      if (inside.height > 1) screen.text(inside.x + 2, inside.y + 1, fit(how, inside.width - 3), look.style("dim"));
      return;
    }
    const at = this.#at[index], top = Math.max(0, at - inside.height + 1);
    rows.slice(top, top + inside.height).forEach((row, line) => {
      const place = { ...inside, y: inside.y + line, height: 1 };
      beginRow(screen, look, place, { selected: top + line === at ? focused ? "here" : "elsewhere" : undefined }, false);
      const right = row.right ?? "", room = place.width - 3 - (right ? right.length + 2 : 0);
      const name = fit(row.name, Math.min(NAME, room)).padEnd(Math.min(NAME, room));
      const pieces: Piece[] = [{ text: name, role: row.deed ? "strong" : "dim", bold: row.deed !== undefined }, {
        text: `  ${row.detail}`,
        role: "dim",
      }];
      drawPieces(screen, look, place.x + 2, place.y, pieces, room);
      if (right) screen.text(place.x + place.width - right.length - 1, place.y, right, look.style("dim"));
    });
  }

  #learn(screen: Screen, look: Look, area: Rectangle): void {
    const inside = insideOf(area, true), all = this.offers.learn.length, shown = Math.min(all, inside.height);
    const where = shown < all ? `${shown} of ${all} in docs/tutorials` : "docs/tutorials";
    drawFrame(screen, look, area, { text: "Learn", right: [[{ text: where, role: "dim" }]] }, { boxed: true, kind: "plain" });
    this.offers.learn.slice(0, inside.height).forEach(([title, about], line) => {
      const pieces: Piece[] = [{ text: title.padEnd(NAME), role: "text" }, { text: `  ${about}`, role: "dim" }];
      drawPieces(screen, look, inside.x + 2, inside.y + line, pieces, inside.width - 3);
    });
  }
}
