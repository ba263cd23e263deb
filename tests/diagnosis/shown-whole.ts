// Verdicts and reasons on screens of some width: their texts are there to the end, in as many lines
// as they take.

import assert from "node:assert/strict";
import { diagnosisLines } from "../../src/model/queries/texts/diagnosis-text.ts";
import { plainText } from "../../src/model/queries/texts/format.ts";
import { chainOf } from "../../src/model/queries/texts/reason-text.ts";
import type { RowOf } from "../../src/model/queries/table.ts";
import type { DIAGNOSES, REASONS } from "../../src/model/queries/tables.ts";
import { VerdictOverlay } from "../../src/app/tui/app/overlays/lines-overlay.ts";
import { plainLook } from "../../src/app/tui/look/theme.ts";
import { reasonLines } from "../../src/app/tui/panes/reason-lines.ts";
import { TextPane } from "../../src/app/tui/panes/text-pane.ts";
import { Screen } from "../../src/app/tui/terminal/cells.ts";

/** So high that nothing has to be scrolled to. */
const HEIGHT = 150;
const LOOK = plainLook("dark", "none", "ascii");

/** A text without its breaks, and without what frames and bars have. */
const compact = (text: string) => text.replaceAll(/[\s|>]/g, "");

function drawn(width: number, draw: (screen: Screen) => void): string {
  const screen = new Screen(width, HEIGHT, "none");
  draw(screen);
  return compact(screen.toLines().join(""));
}

/** The box of a verdict has its cause, its way out, its evidence and its next command whole. */
export function assertVerdictWhole(row: RowOf<typeof DIAGNOSES>, width: number): void {
  const overlay = new VerdictOverlay(row);
  const shown = drawn(width, (screen) => overlay.draw(screen, { x: 0, y: 0, width, height: HEIGHT }, LOOK));
  for (const line of diagnosisLines(row)) assert.ok(shown.includes(compact(line)), `${width} columns: ${line}\n${shown}`);
}

/** Columns of the pane of a reason, beside the list where both fit, on a screen of this width. */
const paneOf = (width: number) => width >= 120 ? 74 : width - 2;

/** The pane of a reason has its rule, its values, the place, its way out and its command whole. */
export function assertReasonWhole(row: RowOf<typeof REASONS>, screen: number): void {
  const width = paneOf(screen);
  const pane = new TextPane({ name: "why", title: () => ({ text: "why" }), lines: (width, look) => reasonLines(row, look, width, HEIGHT) });
  const area = { x: 0, y: 0, width, height: HEIGHT };
  const shown = drawn(width, (screen) => pane.draw(screen, area, LOOK));
  const values = Object.values(row.values as Readonly<Record<string, unknown>>).filter((value) => typeof value === "string");
  const texts = [row.rule, row.way_out ?? "", `el2 why ${row.id}`, ...values, ...chainOf(row).map(({ name }) => name)];
  for (const text of texts) assert.ok(shown.includes(compact(plainText(text))), `${width} columns: ${text}\n${shown}`);
  for (const place of [row.symbol ?? row.pc, row.source?.split("/").at(-1)]) {
    if (place) assert.ok(shown.includes(compact(place)) || row.ended !== null, `${width} columns: ${place}\n${shown}`);
  }
}
