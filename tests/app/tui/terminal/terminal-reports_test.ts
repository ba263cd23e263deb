// The terminal's report about itself: asked once, never waited for, and typed into no guest.

import assert from "node:assert/strict";
import { KeyParser } from "../../../../src/app/tui/terminal/key-parser.ts";
import { textBytes } from "../../../../src/app/tui/terminal/keys.ts";
import { brightByEnvironment, canBeAsked, parseReport } from "../../../../src/app/tui/terminal/terminal-reports.ts";
import { Rig } from "../rig.ts";
import { noticeSequence } from "../../../../src/app/tui/terminal/clipboard.ts";
import { PHONE_SAMPLE } from "../phone.ts";

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

Deno.test("the terminal's colors are followed when they change, its focus is known, and neither is a key", () => {
  const reports = { "\x1b[?997;1n": "dark", "\x1b[?997;2n": "bright", "\x1b[I": "in", "\x1b[O": "out" };
  const said = Object.keys(reports).map((text) => {
    const [key, ...more] = new KeyParser().push(textBytes(text));
    assert.deepEqual([key.name, more.length], ["Report", 0]);
    const report = parseReport(text)!;
    return report.kind === "background" ? report.bright ? "bright" : "dark" : report.kind === "focus" ? report.has ? "in" : "out" : "?";
  });
  assert.deepEqual(said, Object.values(reports));
});

Deno.test("while another window has the focus no pane looks as if it had the keys, histories rest, and what stops the machine is a notice", async () => {
  const rig = new Rig(120, 36);
  const focused = () => rig.lines().then((lines) => lines.some((line) => line.includes("+= Virtual machines")));
  const stop = () => rig.apply({ kind: "stopped", rule: "stop:1", text: "hvc of ping\x1b]0;x\x07" } as never);
  assert.ok(await focused());
  stop();
  assert.deepEqual(rig.notices, [], "the user looks");
  rig.app.setFocus(false);
  assert.ok(!await focused());
  const before = (await rig.lines()).slice(2, 8);
  for (let i = 0; i < 5; i++) {
    rig.time += 1000;
    rig.apply({ kind: "sample", sample: { ...PHONE_SAMPLE, mips: 100 * i } });
  }
  const histories = (lines: string[]) => lines.slice(2, 8).map((line) => line.slice(0, 33)).slice(1, 5);
  assert.deepEqual(histories(await rig.lines()), before.map((line) => line.slice(0, 33)).slice(1, 5));
  stop();
  rig.apply({ kind: "ended", end: { code: 1, message: "crashed: rt" } });
  assert.deepEqual(rig.notices, ["phone: stop:1 stopped the machine: hvc of ping\x1b]0;x\x07", "phone: ended: crashed: rt"]);
  rig.app.setFocus(true);
  assert.ok(await focused());
  assert.notDeepEqual(histories(await rig.lines()), before.map((line) => line.slice(0, 33)).slice(1, 5));
});

Deno.test("a notice ends where it says, whatever a guest has put into it, and passes through tmux", () => {
  assert.equal(noticeSequence("a\x1b]0;x\x07\nb", false), "\x1b]9;a ]0;x b\x07");
  assert.equal(noticeSequence("a;b", false, "foot"), "\x1b]777;notify;el2;a,b\x07");
  assert.equal(noticeSequence("a", true), "\x1b]9;a\x07\x1bPtmux;\x1b\x1b]9;a\x07\x1b\\");
  assert.ok(noticeSequence("x".repeat(1000), false).length < 250);
});
