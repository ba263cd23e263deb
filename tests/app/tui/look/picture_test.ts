// Screens as SVG: letters in their columns, and a shape for every glyph that fonts draw unlike.

import assert from "node:assert/strict";
import { Screen } from "../../../../src/app/tui/terminal/cells.ts";
import { picture } from "../../../../src/app/tui/look/picture.ts";

Deno.test("in an SVG picture, letters after a wide one are in their own columns", () => {
  const screen = new Screen(10, 1, "direct");
  screen.text(0, 0, "漢▌b");
  const texts = [...picture(screen, "").matchAll(/<text x="(\d+)" y="\d+" textLength="(\d+)"[^>]*>([^<]*)</g)].map((match) =>
    match.slice(1)
  );
  assert.deepEqual(texts, [["10", `${4 * 8}`, "漢 b"]]);
});

Deno.test("lines, blocks, braille and shapes are paths, so that every font shows them alike", () => {
  const glyphs = "█▌⣿◇◐▸■┌";
  const screen = new Screen(glyphs.length, 1, "direct");
  screen.text(0, 0, glyphs);
  const drawn = picture(screen, "");
  assert.deepEqual([...glyphs].filter((glyph) => drawn.includes(glyph)), [], "left to a font");
  assert.match(drawn, /<path [^>]*d="M[^"]*a[^"]*z/);
});
