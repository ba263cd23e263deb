// A line of text with a right end.

import assert from "node:assert/strict";
import { plainLook } from "../../../../src/app/tui/look/theme.ts";
import { drawLine } from "../../../../src/app/tui/panes/text-pane.ts";
import { Screen } from "../../../../src/app/tui/terminal/cells.ts";

/** A line in the middle 40 columns of a row. */
function drawn(text: string, right: string): string {
  const screen = new Screen(50, 1, "direct"), look = plainLook("dark", "direct", "full");
  look.dress(screen);
  screen.clear();
  drawLine(screen, look, { x: 5, y: 0, width: 40, height: 1 }, { text: "", pieces: [{ text }], right: [{ text: right }] });
  return screen.toLines()[0].trimEnd();
}

Deno.test("the right end of a line is whole beside a text that is cut, and is itself cut at half of the line", () => {
  assert.match(drawn("a place", "0 → 1"), /^ {6}a place {26}0 → 1$/);
  assert.match(drawn("a".repeat(60), "0 → 1"), /^ {6}a{31}… {1,2}0 → 1$/);
  assert.match(drawn("a".repeat(60), "before".repeat(9)), /^ {6}a{17}… {1,2}(?:before){3}…$/);
});
