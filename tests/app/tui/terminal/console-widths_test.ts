// Wide, combining and joined characters in guests' consoles: the emulator has the clusters and the
// columns with which el2 draws.

import assert from "node:assert/strict";
import fc from "fast-check";
import { ConsoleView } from "../../../../src/app/tui/panes/consoles/console-view.ts";
import { Screen } from "../../../../src/app/tui/terminal/cells.ts";
import { clusters, clusterWidth, textWidth } from "../../../../src/kit/support/text/text-width.ts";
import { Emulator } from "../emulator.ts";

const FAMILY = "\u{1f469}\u200d\u{1f469}\u200d\u{1f467}", FLAG = "\u{1f1e9}\u{1f1ea}", THUMB = "\u{1f44d}\u{1f3fd}";
/** Texts of one cluster each. */
const CLUSTERS = [
  "a",
  "Z",
  "│",
  "é",
  "e\u0301",
  "漢",
  "한",
  "\u1112\u1161\u11ab",
  "🎉",
  FAMILY,
  FLAG,
  THUMB,
  "✔\ufe0f",
  "1\ufe0f\u20e3",
  "กำ",
  "😀",
];

/** A console of a size that has taken in output, as it is drawn. */
async function shown(pieces: readonly Uint8Array[], columns: number, rows: number): Promise<Screen> {
  const view = new ConsoleView("guest", () => {}, () => {});
  const screen = new Screen(columns, rows, "direct"), area = { x: 0, y: 0, width: columns, height: rows };
  view.resize(columns, rows);
  for (const piece of pieces) view.write(piece);
  await view.settled();
  view.draw(screen, area, true);
  return screen;
}

/** Lines of a terminal that wraps. */
function wrapped(parts: readonly string[], columns: number): string[] {
  const lines = [""];
  let used = 0;
  for (const part of parts) {
    const width = clusterWidth(part);
    if (used + width > columns) {
      lines.push("");
      used = 0;
    }
    lines[lines.length - 1] += part;
    used += width;
  }
  return lines;
}

Deno.test("clusters have the columns of their parts, as programs of guests count them, and at most two", () => {
  for (const text of ["a", "é", "e\u0301", "│", "\u0301"]) assert.equal(textWidth(text), 1, JSON.stringify(text));
  for (const text of ["漢", "한", "\u1112\u1161\u11ab", "🎉", FAMILY, FLAG, THUMB, "✔\ufe0f", "1\ufe0f\u20e3", "กำ"]) {
    assert.equal(textWidth(text), 2, JSON.stringify(text));
  }
});

Deno.test("a console shows wide, combining and joined characters as el2 draws them, at any width and however they come", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom(...CLUSTERS), { minLength: 1, maxLength: 60 }),
      fc.constantFrom(2, 5, 20, 67, 80),
      fc.array(fc.nat(5), { minLength: 1 }),
      async (picked, columns, steps) => {
        const text = picked.join(""), bytes = new TextEncoder().encode(text), pieces: Uint8Array[] = [];
        for (let at = 0, step = 0; at < bytes.length; step++) {
          const end = at + 1 + steps[step % steps.length];
          pieces.push(bytes.subarray(at, end));
          at = end;
        }
        const expected = wrapped([...clusters(text)], columns), screen = await shown(pieces, columns, expected.length);
        assert.deepEqual(screen.toLines(), expected);
      },
    ),
    { numRuns: 80 },
  );
});

Deno.test("what is beside a wide character in a guest's console stays in its cell, also where the terminal counts otherwise", async () => {
  const texts = CLUSTERS.map((text) => `${text}|\x1b[10Gten\r\n`).join("");
  const screen = await shown([new TextEncoder().encode(texts)], 20, CLUSTERS.length + 1);
  // This emulator has the widths of Unicode 6.
  const terminal = new Emulator(20, CLUSTERS.length + 1);
  await terminal.write(screen.frame());
  for (const [y, text] of CLUSTERS.entries()) {
    assert.equal(terminal.cell(textWidth(text), y).getChars(), "|", text);
    assert.equal([9, 10, 11].map((x) => terminal.cell(x, y).getChars()).join(""), "ten", text);
  }
});

Deno.test("marks without a letter have a cell, characters without width have none, and marks without end are bounded", async () => {
  const encoder = new TextEncoder();
  const [lone, joined, many] = await Promise.all([
    shown([encoder.encode("a\x1b[1m\u0301b")], 8, 1),
    shown([encoder.encode("a\u200bb\ufeffc")], 8, 1),
    shown([encoder.encode(`a${"\u0301".repeat(10_000)}\r\nb`)], 8, 400),
  ]);
  assert.deepEqual(lone.toLines(), ["a \u0301b"]);
  assert.deepEqual(joined.toLines(), ["abc"]);
  assert.ok(many.toLines().every((line) => line.length <= 8 * 70), "a cell grows");
});
