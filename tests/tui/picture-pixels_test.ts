// Screens as pixels: letters of the font, shapes, colors, and no missing character.

import assert from "node:assert/strict";
import { Screen } from "../../src/tui/terminal/cells.ts";
import { canDraw, pixelPicture } from "../../src/tui/look/picture-pixels.ts";
import { picture } from "../../src/tui/look/picture.ts";
import { pixelsOf } from "../support/png.ts";
import { Rig, SCREENS } from "./rig.ts";

const CELL = { width: 12, height: 24 }, MARGIN = 16;

/** The pixels of a cell that are not of its most frequent color, as rows of # and blanks. */
function drawn(file: Uint8Array, x: number, y: number): string[] {
  const { width, pixels } = pixelsOf(file), counts = new Map<string, number>();
  const at = (px: number, py: number) => {
    const offset = ((MARGIN + y * CELL.height + py) * width + MARGIN + x * CELL.width + px) * 3;
    return pixels.slice(offset, offset + 3).join();
  };
  const all = Array.from({ length: CELL.height }, (_, py) => Array.from({ length: CELL.width }, (_, px) => at(px, py)));
  for (const color of all.flat()) counts.set(color, (counts.get(color) ?? 0) + 1);
  const [paper] = [...counts].sort(([, a], [, b]) => b - a)[0];
  return all.map((row) => row.map((color) => color === paper ? " " : "#").join(""));
}

Deno.test("letters are those of the font, wide ones have two cells, and what has no glyph is a frame", () => {
  const screen = new Screen(10, 2, "direct");
  screen.text(0, 0, "A漢b");
  const file = pixelPicture(screen), size = pixelsOf(file);
  assert.deepEqual([size.width, size.height], [10 * CELL.width + 2 * MARGIN, 2 * CELL.height + 2 * MARGIN]);
  assert.deepEqual(drawn(file, 0, 0).map((row) => row.trim()).filter(Boolean), [
    "######",
    "##    ##",
    ...Array.from({ length: 5 }, () => "##      ##"),
    "##########",
    ...Array.from({ length: 7 }, () => "##      ##"),
  ]);
  assert.equal(canDraw("漢"), false);
  assert.equal(drawn(file, 1, 0).filter((row) => row.trim() === "########").length, 2, "top and bottom of a frame");
  assert.ok(drawn(file, 2, 0).every((row) => row.trim() === ""));
  // b: its stem is on the left.
  assert.ok(drawn(file, 3, 0).filter((row) => /^ ?##/.test(row)).length > 10);
});

Deno.test("in an SVG picture, letters after a wide one are in their own columns", () => {
  const screen = new Screen(10, 1, "direct");
  screen.text(0, 0, "漢▌b");
  const texts = [...picture(screen, "").matchAll(/<text x="(\d+)" y="\d+" textLength="(\d+)"[^>]*>([^<]*)</g)].map((match) =>
    match.slice(1)
  );
  assert.deepEqual(texts, [["10", `${4 * 8}`, "漢 b"]]);
});

Deno.test("shapes fill what they cover, and their holes stay open", () => {
  const screen = new Screen(8, 1, "direct");
  screen.text(0, 0, "█▌⣿◇◐▸■");
  const file = pixelPicture(screen);
  // All of a full cell has one color.
  assert.ok(drawn(file, 0, 0).every((row) => row.trim() === ""));
  assert.ok(drawn(file, 1, 0).every((row) => row === "      ######" || row === "######      "));
  const dots = drawn(file, 2, 0).join("\n");
  assert.ok(/#/.test(dots) && dots.split("\n").filter((row) => row.trim() === "").length >= 4, dots);
  const diamond = drawn(file, 3, 0);
  assert.match(diamond[12], /#+ +#+/, "its middle is open");
  assert.ok(diamond.filter((row) => row.trim()).length >= 8);
  for (const x of [4, 5, 6]) assert.ok(drawn(file, x, 0).join("").includes("#"), `${x}`);
});

Deno.test("every character of every screen can be drawn, in the colors of the SVG picture", async () => {
  const rig = new Rig(120, 36, { ascii: false }, "direct");
  const missing = new Set<string>();
  for (const key of SCREENS) {
    await rig.type(key);
    await rig.lines();
    for (let y = 0; y < 36; y++) for (const { text } of rig.screen.cells(y)) if (text.trim() && !canDraw(text)) missing.add(text);
  }
  assert.deepEqual([...missing], []);
  const svg = picture(rig.screen, "t"), { width, pixels } = pixelsOf(pixelPicture(rig.screen));
  const page = /<rect width="100%"[^>]*fill="#([0-9a-f]{6})"/.exec(svg)![1];
  assert.equal([...pixels.subarray(0, 3)].map((channel) => channel.toString(16).padStart(2, "0")).join(""), page);
  const colors = new Set<string>();
  for (let at = 0; at < pixels.length; at += 3) colors.add(`${pixels[at]},${pixels[at + 1]},${pixels[at + 2]}`);
  const inks = new Set([...svg.matchAll(/<(?:rect x|text)[^>]*fill="#([0-9a-f]{6})"(?![^>]*opacity)/g)].map(([, color]) => color));
  for (const ink of inks) {
    assert.ok(colors.has([0, 2, 4].map((at) => parseInt(ink.slice(at, at + 2), 16)).join()), ink);
  }
  assert.ok(inks.size > 5 && width === 120 * CELL.width + 2 * MARGIN);
});
