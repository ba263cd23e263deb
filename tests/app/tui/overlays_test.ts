// Overlays on a screen, and the row of messages: toasts, dangers, the palette and the help.

import assert from "node:assert/strict";
import { makeProgram } from "../../../src/app/cli/main.ts";
import { commandTree } from "../../../src/app/cli/common/command-tree.ts";
import { roleOf } from "../../../src/app/tui/terminal/color.ts";
import { PHONE_SAMPLE } from "./phone.ts";
import { Rig } from "./rig.ts";

const row = (rig: Rig, y: number) => rig.screen.cells(y);
const textOf = (rig: Rig, y: number) => row(rig, y).map(({ text }) => text).join("");

/** The cells of a screen that are not inside the box of an overlay. */
function outside(rig: Rig): string[] {
  const lines = Array.from({ length: rig.screen.height }, (_, y) => row(rig, y));
  return lines.map((cells) =>
    cells.map((cell) => roleOf(cell.background) === "overlay" ? "" : JSON.stringify([cell.text, cell.foreground, cell.background])).join()
  );
}

Deno.test("L38: a toast has chip, text and key, goes after 8 s, and a refusal stays until 0 or Esc; no other row moves", async () => {
  const rig = new Rig(120, 36, { ascii: false }, "direct");
  await rig.type("8");
  const before = await rig.lines();
  rig.apply({ kind: "stopped", rule: "stop:1", text: "ev:5 vcpu:rm/0 hvc addrspace_map" });
  await rig.lines();
  assert.match(textOf(rig, 35), /^ NOTE {2}stop:1 stopped the machine.*Esc dismiss/);
  assert.ok(row(rig, 35).slice(6).every(({ background }) => roleOf(background) === "warnbg"));
  assert.deepEqual(before.slice(2, -2), (await rig.lines()).slice(2, -2), "the body stays");
  assert.deepEqual(rig.later, [8000], "it is drawn anew when it goes");
  rig.time += 7999;
  assert.match((await rig.lines())[35], /NOTE/);
  rig.time += 1;
  assert.equal((await rig.lines())[35].trim(), "");

  for (const key of ["0", "esc"] as const) {
    await rig.type("8");
    rig.apply({ kind: "sample", sample: { ...PHONE_SAMPLE, reasons: key === "0" ? 2 : 3 } });
    await rig.lines();
    assert.match(textOf(rig, 35), /^ ! REFUSED {2}host asked VM_START parcel:0x12 → EINVAL: .*0 why {2}Esc dismiss/);
    rig.time += 60_000;
    await rig.type("j");
    assert.match((await rig.lines())[35], /REFUSED/, "other keys do not answer it");
    if (key === "0") await rig.type("0");
    else await rig.press("esc");
    assert.doesNotMatch((await rig.lines())[35], /REFUSED/);
  }
});

Deno.test("of several toasts the newest is shown, with how many there are below it", async () => {
  const rig = new Rig(120, 36, { ascii: false }, "direct");
  for (const rule of ["stop:1", "stop:2", "stop:3"]) rig.apply({ kind: "stopped", rule, text: "ev:5" });
  assert.match((await rig.lines())[35], /^ NOTE {2}\+2 stop:3 stopped/);
  await rig.press("esc");
  assert.match((await rig.lines())[35], /^ NOTE {2}\+1 stop:2 stopped/);
});

Deno.test("a long toast has up to four rows below the hints, and says in the last how it is dismissed", async () => {
  for (const width of [80, 120]) {
    const rig = new Rig(width, 36, { ascii: false }, "direct");
    const before = await rig.lines();
    rig.apply({ kind: "stopped", rule: "stop:1", text: "vcpu:rm/0 ".repeat(12) });
    const rows = (await rig.lines()).slice(-6), at = rows.findIndex((row) => row.startsWith(" NOTE "));
    assert.match(rows[at - 1], /^ Enter open .*\? help$/);
    const text = rows.slice(at).map((row) => row.replace(/^ NOTE | {2}Esc dismiss$/g, "").trim());
    assert.equal(text.join(" "), `stop:1 stopped the machine: ${"vcpu:rm/0 ".repeat(12)}`.trim());
    assert.match(rows.at(-1)!, / {2}Esc dismiss$/);
    await rig.press("esc");
    assert.deepEqual((await rig.lines()).slice(-6), before.slice(-6));
    rig.apply({ kind: "stopped", rule: "stop:1", text: "vcpu:rm/0 ".repeat(60) });
    const cut = (await rig.lines()).slice(-5);
    assert.match(cut[0], /\? help$/);
    assert.match(cut[4], /… {2}Esc dismiss$/);
  }
});

Deno.test("an error that is not a refusal does not say REFUSED", async () => {
  const rig = new Rig(120, 36, { ascii: false }, "direct");
  await rig.keys("2/stat=on\r");
  assert.match((await rig.lines()).slice(-4).join("\n"), /^ ! ERROR {2}\/stat=on/m);
  rig.actError = "vm:debian is stopped and cannot be stopped";
  await rig.press("esc", "esc");
  await rig.type("1gjjj!sy");
  assert.match((await rig.lines())[35], /^ ! REFUSED {2}vm:debian is stopped and cannot be stopped/);
});

Deno.test("L39: an overlay is opaque, and cells outside it are as before", async () => {
  for (const keys of ["?", ":mem", "gjjj!s", "gjjja", "ta"]) {
    const rig = new Rig(120, 36, { ascii: false }, "direct");
    await rig.lines();
    await rig.type("gjjj");
    await rig.lines();
    const before = outside(rig);
    await rig.type(keys);
    await rig.lines();
    const cells = Array.from({ length: 36 }, (_, y) => row(rig, y));
    const box = cells.flatMap((line, y) => line.flatMap(({ background }, x) => roleOf(background) === "overlay" ? [{ x, y }] : []));
    const [left, right] = [Math.min(...box.map(({ x }) => x)), Math.max(...box.map(({ x }) => x))];
    const [top, bottom] = [Math.min(...box.map(({ y }) => y)), Math.max(...box.map(({ y }) => y))];
    assert.match(cells[top][left].text + cells[top][right].text + cells[bottom][left].text + cells[bottom][right].text, /╭╮╰╯/, keys);
    for (let y = 2; y < 34; y++) {
      if (y < top || y > bottom) assert.equal(outside(rig)[y], before[y], `${keys} row ${y}`);
    }
    await rig.press("esc");
    await rig.lines();
    assert.deepEqual(outside(rig).slice(0, 34), before.slice(0, 34), keys);
  }
});

Deno.test("L40: in a danger Enter, Space and Esc leave all as it is, y alone acts; the box names what is lost", async () => {
  for (const keys of ["\r", " ", "\x1b", "n", "s"]) {
    const rig = new Rig(120, 36, { ascii: false }, "direct");
    await rig.type("gjjj!s");
    const text = await rig.text();
    assert.match(text, /Stop vm:debian\?/);
    assert.match(text, /lost +its memory/);
    assert.match(text, /stays +/);
    assert.match(text, /shell +el2 vm stop/);
    assert.equal(
      rig.screen.cells(text.split("\n").findIndex((line) => line.includes("Stop vm:debian?"))).some(({ foreground }) =>
        roleOf(foreground) === "bad"
      ),
      true,
    );
    await rig.type(keys);
    await rig.press("esc");
    assert.deepEqual(rig.acted, [], JSON.stringify(keys));
  }
  const rig = new Rig();
  await rig.type("gjjj!sy");
  assert.deepEqual(rig.acted, [{ kind: "vm.stop", vm: "vm:debian", force: false }]);
});

Deno.test("L41: in the palette what is off says why, letters that match are marked, and the command that is shown exists", async () => {
  const rig = new Rig(120, 36, { ascii: false, readOnly: true }, "direct");
  await rig.lines();
  await rig.type("gjjj");
  await rig.lines();
  await rig.type(":vm.stop");
  const text = await rig.text();
  assert.match(text, /▌ vm\.stop vm:debian +off: read-only/);
  const y = text.split("\n").findIndex((line) => line.includes("▌ vm.stop"));
  const marked = row(rig, y).filter(({ foreground, text }) => roleOf(foreground) === "accent" && /[a-z.]/.test(text)).map(({ text }) =>
    text
  ).join(
    "",
  );
  assert.equal(marked, "vm.stop");
  await rig.press("esc");

  const tree = commandTree(makeProgram(new URL("../../../main.ts", import.meta.url), () => {}));
  const names = new Set(tree.commands.flatMap(({ name, commands = [] }) => [name, ...commands.map((one) => `${name} ${one.name}`)]));
  const shown = new Set<string>();
  await rig.type(":");
  for (let step = 0; step < 110; step++) {
    const line = (await rig.lines()).find((one) => one.includes("shell  el2 "));
    const command = /shell {2}el2 (.*?) *│/.exec(line ?? "")?.[1];
    if (command !== undefined) shown.add(command);
    await rig.press("down");
  }
  assert.ok(shown.size > 0);
  for (const command of shown) {
    const [first, second] = command.split(" ");
    assert.ok(first.startsWith("--") || names.has(`${first} ${second}`) || names.has(first), command);
  }
});

Deno.test(":q quits, as in other programs; :vms and :refusals are screens", async () => {
  const rig = new Rig();
  await rig.type(":refusals\r");
  assert.equal(rig.shown, "0");
  await rig.type(":vms\r");
  assert.equal(rig.shown, "1");
  await rig.type(":q\r");
  assert.ok(rig.left);
});

Deno.test("the help begins with the pane that one is in, and marks what is searched", async () => {
  const rig = new Rig(120, 36, { ascii: false }, "direct");
  await rig.type("4?");
  const text = await rig.text();
  assert.match(text, /here: Memory, /);
  const interrupts = new Rig(120, 36);
  await interrupts.type("3?");
  assert.match(await interrupts.text(), /here: Interrupts +[|#]/);
  assert.ok(text.indexOf("the next view of the pane") < text.indexOf("screens and lists"));
  await rig.type("fold");
  await rig.lines();
  const hits = Array.from({ length: 36 }, (_, y) => row(rig, y)).flat().filter(({ background }) => roleOf(background) === "hitbg");
  assert.match(hits.map(({ text }) => text).join(""), /^(fold)+$/);
});

Deno.test("a word that begins with q is searched for in the help, and no key of it does anything else", async () => {
  const rig = new Rig();
  await rig.keys("2?queue");
  assert.match(await rig.text(), /Help[^]*\/ queue/);
  assert.deepEqual(rig.saved, []);
  await rig.press("esc");
  assert.doesNotMatch(await rig.text(), /\/ queue/);
});

Deno.test("what is typed for a guest, a prompt or the palette answers no refusal, and the toast names the key of the screen", async () => {
  const rig = new Rig(120, 36, { ascii: false, keys: { "screen.why": "Z" } }, "direct");
  await rig.lines();
  rig.apply({ kind: "sample", sample: { ...PHONE_SAMPLE, reasons: 2 } });
  await rig.lines();
  const toast = async () => (await rig.lines())[35];
  assert.match(await toast(), /REFUSED.*Z why {2}Esc dismiss/);
  for (const begin of ["c", ":", "/"]) {
    await rig.keys(begin);
    await rig.type("Z");
    if (begin === "c") await rig.type("\x1dd");
    else await rig.press("esc");
    assert.match(await toast(), /REFUSED/, begin);
  }
  await rig.type("Z");
  assert.doesNotMatch(await toast(), /REFUSED/);
});
