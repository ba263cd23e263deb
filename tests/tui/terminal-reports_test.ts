// The terminal's report about itself: asked once, never waited for, and typed into no guest.

import assert from "node:assert/strict";
import { KeyParser } from "../../src/tui/terminal/key-parser.ts";
import { textBytes } from "../../src/tui/terminal/keys.ts";
import { brightByEnvironment, canBeAsked, parseReport } from "../../src/tui/terminal/terminal-reports.ts";
import { Rig } from "./rig.ts";

Deno.test("the background of a terminal is bright or dark, by its answer and by COLORFGBG", () => {
  assert.deepEqual(parseReport("\x1b]11;rgb:fafa/fafa/f7f7\x1b\\"), { kind: "background", bright: true });
  assert.deepEqual(parseReport("\x1b]11;rgb:1e/1e/2e\x07"), { kind: "background", bright: false });
  assert.deepEqual(parseReport("\x1b]11;rgba:ffff/ffff/ffff/ffff\x07"), { kind: "background", bright: true });
  assert.equal(parseReport("\x1b]11;?\x07"), undefined);
  assert.deepEqual(["0;15", "15;0", "12;default", "0;7", undefined].map(brightByEnvironment), [true, false, undefined, true, undefined]);
});

Deno.test("a terminal takes frames as one where it knows mode 2026", () => {
  for (const [answer, known] of [[0, false], [1, true], [2, true], [3, true], [4, false]] as const) {
    assert.equal(parseReport(`\x1b[?2026;${answer}$y`) !== undefined, known, `${answer}`);
  }
});

Deno.test("consoles that print what they do not know are not asked", () => {
  assert.deepEqual(["xterm-256color", "screen", "linux", "dumb", undefined].map(canBeAsked), [true, true, false, false, false]);
});

Deno.test("L55: answers of the terminal are not keys, whole or in pieces, and none is typed into a guest", () => {
  for (const answer of ["\x1b]11;rgb:fafa/fafa/f7f7\x1b\\", "\x1b]11;rgb:0/0/0\x07", "\x1b[?2026;2$y"]) {
    for (let cut = 0; cut < answer.length; cut++) {
      const parser = new KeyParser();
      const keys = [...parser.push(textBytes(answer.slice(0, cut))), ...parser.push(textBytes(`${answer.slice(cut)}x`))];
      assert.deepEqual(keys.map(({ name }) => name), ["Report", "x"], `${JSON.stringify(answer)} at ${cut}`);
    }
  }
});

Deno.test("without a chosen theme the screens follow the background, once it is known; a chosen one stays", async () => {
  const page = async (rig: Rig) => {
    await rig.lines();
    return rig.screen.map.theme.name;
  };
  const rig = new Rig(80, 24, {}, "direct");
  assert.equal(await page(rig), "dark");
  rig.app.setBackground(true);
  assert.equal(await page(rig), "light");
  const chosen = new Rig(80, 24, { theme: "nord" }, "direct");
  chosen.app.setBackground(true);
  assert.equal(await page(chosen), "nord");
  assert.equal(await page(new Rig(80, 24, { bright: true }, "direct")), "light");
});
