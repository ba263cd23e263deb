import assert from "node:assert/strict";
import fc from "fast-check";
import { Screen } from "../../../../src/app/tui/terminal/cells.ts";
import { Attribute, palette, rgb } from "../../../../src/app/tui/terminal/color.ts";
import { clusters, clusterWidth, fit, isSingle, textWidth } from "../../../../src/kit/support/text/text-width.ts";
import { Terminal } from "../../../../src/app/tui/terminal/xterm.ts";

function emulator(columns: number, rows: number) {
  const terminal = new Terminal({ cols: columns, rows, scrollback: 0, allowProposedApi: true, convertEol: false });
  return {
    write: (text: string) => new Promise<void>((resolve) => terminal.write(text, resolve)),
    lines: () => Array.from({ length: rows }, (_, y) => terminal.buffer.active.getLine(y)?.translateToString(true).trimEnd() ?? ""),
    cell: (x: number, y: number) => terminal.buffer.active.getLine(y)!.getCell(x)!,
  };
}

Deno.test("a terminal that gets the frames shows what was drawn, whatever was there before", async () => {
  const pieces = fc.array(
    fc.record({
      x: fc.integer({ min: -2, max: 30 }),
      y: fc.integer({ min: 0, max: 7 }),
      text: fc.oneof(fc.string({ maxLength: 12 }), fc.constantFrom("漢字", "é", "│─┌", "⣿⣀", "日本 ok")),
      bold: fc.boolean(),
      color: fc.constantFrom(0, palette(1), palette(200), rgb(0x123456)),
    }),
    { maxLength: 6 },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(pieces, { minLength: 1, maxLength: 4 }), async (frames) => {
      const screen = new Screen(30, 8, "direct");
      const terminal = emulator(30, 8);
      for (const frame of frames) {
        screen.clear();
        for (const p of frame) {
          screen.text(p.x, p.y, p.text, { foreground: p.color, attributes: p.bold ? Attribute.Bold : 0 });
        }
        await terminal.write(screen.frame());
        assert.deepEqual(terminal.lines(), screen.shownLines());
      }
    }),
    { numRuns: 60 },
  );
});

Deno.test("a frame in which nothing changed is empty", () => {
  const screen = new Screen(20, 4, "16");
  screen.text(0, 0, "hello");
  assert.notEqual(screen.frame(), "");
  screen.clear();
  screen.text(0, 0, "hello");
  assert.equal(screen.frame(), "");
});

Deno.test("a changed cell costs a few bytes, not a line", () => {
  const screen = new Screen(80, 24, "16");
  screen.text(0, 5, "count 1 of many things that stay");
  screen.frame();
  screen.clear();
  screen.text(0, 5, "count 2 of many things that stay");
  const frame = screen.frame();
  assert.ok(frame.length < 60, `${frame.length} bytes`);
  assert.ok(!frame.includes("things"));
});

Deno.test("W27: text cannot carry an escape sequence", () => {
  const screen = new Screen(20, 1, "16");
  screen.text(0, 0, "a\x1b[31mb\x07\x9b");
  assert.equal(screen.toLines()[0], "a?[31mb??");
});

Deno.test("NO_COLOR keeps attributes and drops colors", () => {
  const screen = new Screen(10, 1, "none");
  screen.text(0, 0, "x", { foreground: palette(1), attributes: Attribute.Bold });
  const frame = screen.frame();
  assert.ok(frame.includes("\x1b[1m"));
  assert.ok(!/\x1b\[[0-9;]*3[0-7]m/.test(frame));
});

Deno.test("direct colors become palette entries where the terminal has 16 or 256", async () => {
  for (const [depth, expected] of [["256", 196], ["16", 9]] as const) {
    const screen = new Screen(4, 1, depth);
    screen.text(0, 0, "r", { foreground: rgb(0xff0000) });
    const terminal = emulator(4, 1);
    await terminal.write(screen.frame());
    assert.equal(terminal.cell(0, 0).getFgColor(), expected);
  }
});

Deno.test("W79: wide, combining and ZWJ text keep columns aligned, also where the terminal measures them otherwise", async () => {
  // The emulator here takes each part of a joined cluster for a separate glyph, as many terminals
  // do.
  const texts = [
    "漢字",
    "e\u0301",
    "a\u0308\u0323b",
    "\u{1f469}\u200d\u{1f469}\u200d\u{1f467}",
    "\u{1f1e9}\u{1f1ea} de",
    "\u2714\ufe0f ok",
    "x",
  ];
  const screen = new Screen(40, texts.length, "16"), terminal = emulator(40, texts.length);
  // Each text once in every row, so that each replaces all others.
  for (let round = 0; round < texts.length; round++) {
    screen.clear();
    texts.forEach((_, y) => {
      screen.text(0, y, fit(texts[(y + round) % texts.length], 12));
      screen.text(14, y, `|row ${y}`);
      screen.text(22, y, fit(texts[(y + 2 * round) % texts.length], 3));
      screen.text(26, y, "end");
    });
    await terminal.write(screen.frame());
    texts.forEach((text, y) => {
      const at = (x: number, length: number) => Array.from({ length }, (_, index) => terminal.cell(x + index, y).getChars()).join("");
      assert.deepEqual([at(14, 6), at(26, 3)], [`|row ${y}`.replace(" ", at(18, 1)), "end"], `round ${round}, ${JSON.stringify(text)}`);
      assert.equal(at(18, 1).trim(), "");
    });
  }
});

Deno.test("W79: fit() cuts with … and measures wide characters", () => {
  assert.equal(fit("abcdef", 4), "abc…");
  assert.equal(fit("abc", 4), "abc");
  assert.equal(textWidth("漢字"), 4);
  assert.equal(fit("漢字漢", 5), "漢字…");
});

Deno.test("texts of what el2 draws have the clusters and columns that the segmenter gives them", () => {
  const segmenter = new Intl.Segmenter();
  const drawn = Array.from({ length: 0x2900 }, (_, code) => String.fromCharCode(code)).filter(isSingle);
  assert.ok(drawn.length > 95 + 256, `${drawn.length} codes`);
  for (const one of drawn) assert.equal(clusterWidth(one), 1, one);
  fc.assert(
    fc.property(
      fc.array(fc.oneof(fc.constantFrom(...drawn), fc.constantFrom("e\u0301", "漢", "👩‍🚀", "\u0301", "◽", "\ufe0f"))),
      (parts) => {
        const text = parts.join("");
        const segments = [...segmenter.segment(text)].map(({ segment }) => segment);
        assert.deepEqual([...clusters(text)], segments);
        assert.equal(textWidth(text), segments.reduce((sum, segment) => sum + clusterWidth(segment), 0));
      },
    ),
  );
});

Deno.test("a text of what el2 draws is never cut up by the segmenter", () => {
  const segment = Intl.Segmenter.prototype.segment;
  Intl.Segmenter.prototype.segment = () => assert.fail("segmented");
  try {
    const screen = new Screen(20, 2, "direct");
    screen.text(0, 0, "╭─ ●▀⣿ ok · 1…");
    assert.equal(screen.text(0, 1, "━".repeat(30)), 20);
    assert.equal(fit("━".repeat(30), 5), "━━━━…");
  } finally {
    Intl.Segmenter.prototype.segment = segment;
  }
});
