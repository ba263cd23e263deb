import assert from "node:assert/strict";
import { LinesOverlay } from "../../../../../src/app/tui/app/overlays/overlay.ts";
import { Screen } from "../../../../../src/app/tui/terminal/cells.ts";
import { lookFor } from "../../../../../src/app/tui/look/theme.ts";

Deno.test("lines that are longer than the box are read to their ends by the arrows", () => {
  const columns = Array.from({ length: 12 }, (_, index) => `column${index + 10}`).join(" ");
  const overlay = new LinesOverlay("coverage", ["short", columns, "\u754c".repeat(60)].map((text) => ({ text })));
  const screen = new Screen(80, 24, "none");
  const press = (name: string, times: number) => {
    for (let count = 0; count < times; count++) overlay.key({ name, bytes: new Uint8Array() }, undefined);
    overlay.draw(screen, { x: 0, y: 0, width: 80, height: 24 }, lookFor({ ascii: true }, "none"));
    return screen.toLines().join("\n");
  };
  assert.match(press("Right", 0), /\| short +\|\n\| column10 [^]*\u754c…/);
  assert.match(press("Right", 1), /\| +column11 column12/);
  const end = press("Right", 100);
  assert.match(end, /column21 +\|/);
  assert.match(end, /\u754c +\|/);
  assert.match(press("Left", 1), /column1\d[^]*\u754c…/);
  assert.match(press("h", 100), /\| short +\|\n\| column10 /);
});
