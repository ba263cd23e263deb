// Stacked bars where there is no room for one.

import assert from "node:assert/strict";
import { drawStacked } from "../../../../src/app/tui/look/bars.ts";
import { Screen } from "../../../../src/app/tui/terminal/cells.ts";
import { Look } from "../../../../src/app/tui/look/theme.ts";
import { themeOf } from "../../../../src/app/tui/look/themes.ts";

Deno.test("a bar without room draws nothing, and all of its parts are unnamed", () => {
  const look = new Look({ theme: themeOf("dark"), depth: "none", glyphs: "ascii", braille: false, painted: false });
  const screen = new Screen(4, 1, "none");
  const parts = [{ mark: look.vm("a"), share: 0.5, name: "a" }];
  for (const width of [0, -3]) assert.deepEqual(drawStacked(screen, look, { x: 3, y: 0, width }, parts), parts);
  assert.equal(screen.toLines().join("").trim(), "");
});
