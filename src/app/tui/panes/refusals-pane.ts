// Recent refusals that made an operation fail, in a few lines each: the requester, the operation,
// and the rule in words. Those that their callers handled are on the screen of all
// refusals.

import { screenOf } from "../actions/screen-table.ts";
import type { Scroll, Title } from "../look/box.ts";
import type { Rectangle, Screen } from "../terminal/cells.ts";
import { fit } from "../../../kit/support/text/text-width.ts";
import { secondsText } from "../look/numbers.ts";
import type { Pane, PaneState } from "./pane.ts";
import { drawPieces, keyPieces, type Piece } from "../look/pieces.ts";
import { beginRow, ROW_MARGIN } from "../look/row.ts";
import { type SpokenLine, spokenPieces, type SpokenSize } from "../look/speech.ts";
import type { Look } from "../look/theme.ts";
import { withoutKind } from "../../../model/queries/ids.ts";
import { type Answer, type Query, rowsOf } from "../../../model/queries/query.ts";
import type { RowOf, Selected } from "../../../model/queries/table.ts";
import { REASONS } from "../../../model/queries/tables.ts";

/** Refusals that are asked for. */
const ASKED = 20;
/** How long (ms) an answer is good enough. */
const STAYS_GOOD = 2000;
/** Rows of the newest. */
const ROWS = 3;

type Reason = RowOf<typeof REASONS>;

/** The newest failures. */
export class RefusalsPane implements Pane {
  readonly name = "refusals";
  readonly staysGood = STAYS_GOOD;
  #rows: readonly Reason[] = [];
  #at = 0;
  #height = 1;

  /** @param unseen number of refusals that the user has not seen */
  constructor(readonly unseen: () => number) {}

  title(): Title {
    const unseen = this.unseen();
    return {
      text: "Refusals",
      right: unseen ? [[{ text: `${unseen} new`, role: "bad", bold: true }]] : [],
      bottom: keyPieces(screenOf("why").key, "why"),
    };
  }

  get scroll(): Scroll {
    return { top: this.#at, height: Math.max(this.#height - ROWS + 1, 1), count: this.#rows.length };
  }

  queries(): Query {
    return { table: "why", args: { limit: ASKED, filter: "failed=yes" } };
  }

  receive(answer: Answer): void {
    this.#rows = [...rowsOf(REASONS, answer)].sort((a, b) => Number(b.t) - Number(a.t));
    this.#at = Math.min(this.#at, Math.max(this.#rows.length - 1, 0));
  }

  get selection(): Selected<typeof REASONS> | undefined {
    const row = this.#rows[this.#at];
    return row && { table: REASONS, row };
  }

  get page(): number {
    return 1;
  }

  move(by: number): void {
    this.#at = Math.min(Math.max(this.#at + by, 0), Math.max(this.#rows.length - 1, 0));
  }

  click(row: number): boolean {
    this.move(row < ROWS ? 0 : row - ROWS + 1);
    return true;
  }

  draw(screen: Screen, area: Rectangle, look: Look, { focused }: PaneState): void {
    this.#height = area.height;
    const [first, ...others] = this.#rows.slice(this.#at);
    if (!first) return void screen.text(area.x + ROW_MARGIN, area.y, "No failure yet.", look.style("dim"));
    const width = area.width - ROW_MARGIN - 1, x = area.x + ROW_MARGIN;
    const lines = newestLines(first, look);
    lines.slice(0, area.height).forEach((pieces, row) => {
      const place = { ...area, y: area.y + row, height: 1 };
      beginRow(screen, look, place, { selected: focused ? "here" : undefined }, false);
      if (row === 0) screen.text(area.x + 1, place.y, "!", look.bold("bad"));
      drawPieces(screen, look, x + (row ? 1 : 1), place.y, pieces, width - 1);
    });
    others.slice(0, Math.max(area.height - lines.length, 0)).forEach((row, index) => {
      const y = area.y + lines.length + index;
      screen.text(area.x + 1, y, "!", look.bold("bad"));
      drawPieces(screen, look, x + 1, y, [{ text: `${row.id} `, role: "link" }, ...callPieces(row, false)], width - 1);
    });
  }

  spoken(look: Look, { height }: SpokenSize): readonly SpokenLine[] {
    this.#height = height;
    const [first, ...others] = this.#rows.slice(this.#at);
    if (!first) return [{ parts: ["No failure yet."] }];
    const newest = newestLines(first, look).map((pieces, line) => spokenPieces(pieces, line === 0));
    const older = others.slice(0, Math.max(height - ROWS, 0));
    return [...newest, ...older.map((row) => spokenPieces([{ text: `${row.id} ` }, ...callPieces(row, false)]))];
  }
}

/** The requester, the operation, and the rule. */
function newestLines(first: Reason, look: Look): readonly (readonly Piece[])[] {
  const asker = first.vm, mark = look.vm(asker);
  return [
    [
      { text: first.id, role: "link" },
      { text: ` ${secondsText(Number(first.t)).replaceAll(" ", "")}  `, role: "dim" },
      { text: withoutKind("vm", asker), role: mark.ink },
      { text: " asked", role: "dim" },
    ],
    callPieces(first, true),
    [{ text: first.rule, role: "text" }],
  ];
}

/** The operation, its object, and the error. */
function callPieces({ call, err, object }: Reason, strong: boolean): Piece[] {
  return [
    { text: call, role: strong ? "strong" : "dim", bold: strong },
    ...object ? [{ text: ` ${object}`, role: "link" } as const] : [],
    { text: " → ", role: "dim" },
    { text: fit(err, 30), role: strong ? "bad" : "dim" },
  ];
}
