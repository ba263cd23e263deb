// The last writes or changes of something, drawn as screen Why is: Enter goes to the selected place
// of the run, `o` searches the one before.

import type { OverlayAction } from "../../actions/actions.ts";
import { drawFrame, drawThumb, insideOf } from "../../look/box.ts";
import { keyPieces } from "../../look/pieces.ts";
import { type SpokenLine, spokenPieces, type SpokenSize } from "../../look/speech.ts";
import type { Look } from "../../look/theme.ts";
import type { Line } from "../../panes/pane.ts";
import { headingLine } from "../../panes/reason-lines.ts";
import { drawLine } from "../../panes/text-pane.ts";
import { type Access, accessLines, placeLines } from "../../panes/who-lines.ts";
import type { Rectangle, Screen } from "../../terminal/cells.ts";
import type { Key } from "../../terminal/keys.ts";
import type { Overlay } from "./overlay.ts";
import { placeOfRun } from "../../../../model/commands/kinds.ts";
import type { PlaceOfRun } from "../../../../model/queries/move.ts";

/** The question in words, and the rows of its answer, oldest first. */
interface Answered {
  readonly heading: string;
  /** The command line that prints the same. */
  readonly command: string;
  readonly rows: readonly Access[];
}

/** Effects of the keys. */
interface WhoWays {
  readonly go: (place: PlaceOfRun) => void;
  /** Searches what was before a place; undefined: nothing can be. */
  readonly older: ((before: PlaceOfRun) => void) | undefined;
  /** Cancels a search; says whether there was one. */
  readonly cancel: () => boolean;
}

/** The answer, instead of the body. */
export class WhoOverlay implements Overlay {
  readonly context = "help";
  readonly whole = true;
  readonly cursor = undefined;
  /** How far the search of an older one is. */
  progress: string | undefined;
  /** Newest first. */
  #rows: readonly Access[];
  #at = 0;
  #top = 0;
  #page = 1;
  /** The row on the screen of the newest place, above the box if it is scrolled off. */
  #firstPlace = 0;
  /** The selected place is kept in sight: one has moved to it, not scrolled. */
  #follows = false;

  constructor(readonly answered: Answered, readonly ways: WhoWays) {
    this.#rows = answered.rows.toReversed();
  }

  get prompt(): Line {
    if (this.progress !== undefined) return { text: `${this.progress}; ctrl-c cancels`, role: "dim" };
    return { text: `Enter goes there, just before it${this.#hasOlder ? "; o searches the one before" : ""}; Esc closes`, role: "dim" };
  }

  /** Adds rows of before, oldest first, and selects the newest of them. */
  add(rows: readonly Access[]): void {
    this.#at = this.#rows.length;
    this.#follows = true;
    this.#rows = [...this.#rows, ...rows.toReversed()];
  }

  key(key: Key, action: OverlayAction | undefined): boolean {
    if (action?.name === "cancel") return this.progress !== undefined && this.ways.cancel();
    if (key.name === "Enter") return this.#go();
    if (action?.name === "help.leave") return false;
    if (key.name === "o") this.#older();
    const by = { Down: 1, j: 1, Up: -1, k: -1, Home: -Infinity, g: -Infinity, End: Infinity, G: Infinity }[key.name];
    const page = { PgDn: this.#page, Space: this.#page, PgUp: -this.#page }[key.name];
    if (by !== undefined) this.#at = Math.min(Math.max(this.#at + by, 0), this.#rows.length - 1);
    if (page !== undefined) this.#top += page;
    if (by ?? page) this.#follows = by !== undefined;
    return true;
  }

  /** Selects the place there; a click on the selected one goes to it. */
  click(_x: number, y: number): boolean {
    const at = y - this.#firstPlace;
    if (at < 0 || !this.#rows[at]) return true;
    if (at === this.#at) return this.#go();
    this.#at = at;
    return true;
  }

  scroll(rows: number): void {
    this.#top += rows;
    this.#follows = false;
  }

  get #selected(): Access | undefined {
    return this.#rows[this.#at];
  }

  get #hasOlder(): boolean {
    return this.ways.older !== undefined && this.#rows.at(-1)?.kind !== "never";
  }

  #go(): boolean {
    const selected = this.#selected;
    if (selected) this.ways.go(placeOfRun.parse(selected.id));
    return false;
  }

  #older(): void {
    const oldest = this.#rows.at(-1);
    if (oldest && this.#hasOlder && this.progress === undefined) this.ways.older?.(placeOfRun.parse(oldest.id));
  }

  /** The lines: of the selected access, and of all places. */
  #lines(look: Look, width: number): Line[] {
    const { answered: { command } } = this, selected = this.#selected;
    return [
      ...selected ? accessLines(selected, command, look, width) : [],
      headingLine(`Places of the run ${this.#at + 1} of ${this.#rows.length}`, look, width),
      ...placeLines(this.#rows, this.#at, look),
    ];
  }

  draw(screen: Screen, area: Rectangle, look: Look): void {
    const { height, width } = insideOf(area, true), lines = this.#lines(look, width);
    this.#page = height;
    const place = lines.length - this.#rows.length + this.#at;
    if (this.#follows) this.#top = Math.min(Math.max(this.#top, place - height + 1), place);
    this.#top = Math.max(Math.min(this.#top, lines.length - height), 0);
    screen.fill(area, "overlay");
    const bottom = [...keyPieces("Enter", "go there  "), ...this.#hasOlder ? keyPieces("o", "older  ") : [], ...keyPieces("Esc", "close")];
    const inside = drawFrame(screen, look, area, { text: this.answered.heading, bottom }, { boxed: true, kind: "focused", focus: true });
    drawThumb(screen, look, area, true, { top: this.#top, height, count: lines.length }, "focused");
    this.#firstPlace = inside.y + lines.length - this.#rows.length - this.#top;
    lines.slice(this.#top, this.#top + height).forEach((line, row) =>
      drawLine(screen, look, { ...inside, y: inside.y + row, height: 1 }, line)
    );
  }

  spoken(look: Look, { width, height }: SpokenSize): readonly SpokenLine[] {
    this.#page = height;
    const lines = this.#lines(look, width), first = lines.length - this.#rows.length;
    return [
      { parts: [this.answered.heading] },
      ...lines.map(({ text, pieces = [{ text }], right = [] }, index) => {
        const line = spokenPieces(pieces, index - first === this.#at);
        return { ...line, parts: [...line.parts, ...spokenPieces(right).parts] };
      }),
    ];
  }
}
