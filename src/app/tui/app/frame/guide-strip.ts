// The strip of a tour below the screens: what is seen, and what to press.

import { drawFrame } from "../../look/box.ts";
import type { Rectangle, Screen } from "../../terminal/cells.ts";
import type { GuideView } from "../guide/guide.ts";
import { drawPieces } from "../../look/pieces.ts";
import { wrap } from "../../panes/row-lines.ts";
import type { Look } from "../../look/theme.ts";

/** Blanks at the left and right of its text. */
const MARGIN = 2;
/** Rows of the rule above it, and of what to press. */
const FRAME_AND_TASK = 2;

/** Rows of the strip: as many in each step, so that nothing jumps. */
export function guideRows({ texts }: GuideView, width: number): number {
  return Math.max(...texts.map((text) => textLines(text, width).length)) + FRAME_AND_TASK;
}

function textLines(text: string, width: number): string[] {
  return wrap(text, 0, width - MARGIN);
}

/** Draws it. The keys are in its last row, however long the text is. */
export function drawGuide(screen: Screen, look: Look, area: Rectangle, { title, position, text, task }: GuideView): void {
  screen.tint(area, "raised");
  const heading = { text: `Tour ${position}`, detail: title, right: [[{ text: "Esc ends the tour", role: "dim" as const }]] };
  drawFrame(screen, look, area, heading, { boxed: false, kind: "plain" });
  textLines(text, area.width).forEach((line, row) => screen.text(area.x + 1, area.y + 1 + row, line, look.style("text")));
  drawPieces(screen, look, area.x + 1, area.y + area.height - 1, task, area.width - MARGIN);
}
