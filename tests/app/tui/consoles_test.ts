import assert from "node:assert/strict";
import { roleOf } from "../../../src/app/tui/terminal/color.ts";
import { withPrefix } from "../../../src/app/tui/actions/keymap.ts";
import { textBytes } from "../../../src/app/tui/terminal/keys.ts";
import { PHONE_SAMPLE } from "./phone.ts";
import { Rig } from "./rig.ts";

Deno.test("W25: ctrl-c, ctrl-w, ctrl-z reach the guest", async () => {
  const rig = new Rig();
  await rig.type("c");
  await rig.type("ls\x03\x17\x1a");
  assert.deepEqual(rig.typed, [...textBytes("ls\x03\x17\x1a")]);
  assert.equal(rig.suspended, 0);
});

Deno.test("W26: ctrl-] d leaves, ctrl-] ctrl-] sends one 0x1d", async () => {
  const rig = new Rig();
  await rig.type("cx\x1d\x1d\x1dd");
  await rig.type("j");
  assert.deepEqual(rig.typed, [...textBytes("x\x1d")]);
});

Deno.test("W27: guest escapes cannot leave the pane, set the title or the clipboard", async () => {
  const rig = new Rig();
  await rig.lines();
  rig.frame();
  rig.apply({
    kind: "console",
    console: "debian",
    bytes: textBytes("\x1b]0;evil\x07\x1b]52;c;ZXZpbA==\x07\x1b[1;1Hhere\x1b[?1049h\x1b[2J\x9b31m"),
  });
  await rig.lines();
  const frame = rig.frame();
  assert.doesNotMatch(frame, /\x1b\]|\x9b|1049/);
  assert.match((await rig.lines())[0], /^ el2 {2}phone/);
});

Deno.test("W28: scrolling stops follow and counts, G follows", async () => {
  const rig = new Rig();
  rig.apply({ kind: "console", console: "debian", bytes: textBytes(Array.from({ length: 200 }, (_, i) => `line ${i}\r\n`).join("")) });
  await rig.lines();
  await rig.press("tab");
  await rig.type("kkk");
  rig.apply({ kind: "console", console: "debian", bytes: textBytes("new\r\nnew\r\n") });
  assert.match(await rig.text(), /5 rows back {2}2 new, G follows/);
  await rig.type("G");
  assert.match(await rig.text(), /Console D debian =+ o follows/);
});

Deno.test("W29: search covers the scrollback and counts matches", async () => {
  const rig = new Rig();
  rig.apply({
    kind: "console",
    console: "debian",
    bytes: textBytes(Array.from({ length: 100 }, (_, i) => `line ${i}${i % 25 ? "" : " gunyah"}\r\n`).join("")),
  });
  await rig.lines();
  await rig.type("c\x1d/");
  await rig.type("GUNYAH\r");
  assert.match(await rig.text(), /"GUNYAH" 4 of 4/);
  await rig.type("n");
  const shown = await rig.text();
  assert.match(shown, /"GUNYAH" 3 of 4/);
  assert.match(shown, /line 50 gunyah/);
});

Deno.test("what is searched is marked in the console, the match that is shown apart; following takes the marks away", async () => {
  const rig = new Rig(120, 36, { ascii: false }, "direct");
  const output = ["alpha gunyah", "Gunyah twice: gunyah", "日本 gunyah", ...Array(4).fill("other")].join("\r\n");
  rig.apply({ kind: "console", console: "debian", bytes: textBytes(`\r\n${output}`) });
  await rig.lines();
  await rig.type("c\x1d/gunyah\r");
  await rig.lines();
  const marked = (ground: string, ink: string) =>
    Array.from({ length: 36 }, (_, y) => rig.screen.cells(y)).flat()
      .filter((cell) => roleOf(cell.background) === ground && roleOf(cell.foreground) === ink).map(({ text }) => text).join("");
  assert.equal(marked("warn", "ink"), "gunyah", "the newest, behind wide characters");
  assert.equal(marked("hitbg", "strong"), "gunyahGunyahgunyah");
  await rig.type("n");
  await rig.lines();
  assert.equal(marked("warn", "ink"), "Gunyahgunyah");
  await rig.type("G");
  await rig.press("esc");
  await rig.lines();
  assert.equal(marked("warn", "ink") + marked("hitbg", "strong"), "");
});

Deno.test("in the past a console shows what it had shown there, and in the present everything again", async () => {
  const rig = new Rig();
  assert.match(await rig.text(), /debian login:/);
  const consoles = [{ console: "debian", bytes: textBytes("[    0.000000] Booting Linux\r\n") }];
  rig.apply({ kind: "paused", paused: true, past: true, consoles });
  const text = await rig.text();
  assert.match(text, /Console D debian -+ as it was then -/);
  assert.match(text, /Booting Linux/);
  assert.doesNotMatch(text, /debian login:/);
  // The other one had shown nothing.
  await rig.type("gjjjjjj");
  const other = await rig.text();
  assert.match(other, /Console T rt -+ as it was then -/);
  assert.doesNotMatch(other, /rt ready/);
  await rig.type("gjjj");
  rig.apply({ kind: "paused", paused: true });
  const now = await rig.text();
  assert.match(now, /Console D debian -+ o follows -/);
  assert.match(now, /debian login:/);
});

Deno.test("a session that does not say what consoles showed there shows their output up to now, and says so", async () => {
  const rig = new Rig();
  rig.apply({ kind: "paused", paused: true, past: true });
  assert.match(await rig.text(), /Console D debian -+ output up to now, not only until then -/);
});

Deno.test("ctrl-] b sends a break to the console that is shown, and says what is wrong with that", async () => {
  const rig = new Rig();
  await rig.type("c\x1d");
  assert.match(await rig.text(), /ctrl-\] then .*b break/);
  await rig.type("b");
  assert.deepEqual(rig.acted, [{ kind: "console.break", console: "debian" }]);
  assert.match(await rig.text(), /a break was sent to con:debian/);
  rig.actError = "debian is a virtio console";
  await rig.type("\x1db");
  assert.match(await rig.text(), /debian is a virtio console/);
  await rig.type("x");
  assert.deepEqual(rig.typed, [0x78], "keys still go to the guest");
});

Deno.test("q quits, and only outside a console", async () => {
  const rig = new Rig();
  await rig.type("cq");
  assert.equal(rig.left, false);
  await rig.type("\x1ddq");
  assert.equal(rig.left, true);
});

Deno.test("a row without a console says so", async () => {
  const rig = new Rig();
  await rig.type("gc");
  assert.match(await rig.text(), /vm:host has no console/);
});

Deno.test("c types into the console in sight while the samples name no console yet", async () => {
  const rig = new Rig();
  const vms = PHONE_SAMPLE.vms.map((vm) => ({ ...vm, console: undefined }));
  rig.apply({ kind: "sample", sample: { ...PHONE_SAMPLE, vms } });
  await rig.type("cx");
  assert.deepEqual(rig.typed, [...textBytes("x")]);
});

Deno.test("another console prefix takes the keys back, sends itself, and is named in hints, titles and help", async () => {
  const rig = new Rig(120, 36, { keys: withPrefix({}, "ctrl-a") });
  await rig.type("cx\x1d\x01\x01");
  assert.deepEqual(rig.typed, [...textBytes("x\x1d\x01")]);
  assert.match(await rig.text(), /KEYS GO TO THE GUEST[^]*ctrl-a d stop typing/);
  await rig.type("\x01");
  assert.match(await rig.text(), /ctrl-a then {2}d stop typing.*ctrl-a send it/);
  await rig.type("d?");
  await rig.type("/send the prefix");
  assert.doesNotMatch(await rig.text(), /ctrl-\]/);
});
