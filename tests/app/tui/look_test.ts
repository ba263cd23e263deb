// Checks of the look that hold for every frame: backgrounds, frames, marks, sizes.

import assert from "node:assert/strict";
import type { DrawnCell } from "../../../src/app/tui/terminal/cells.ts";
import { roleOf } from "../../../src/app/tui/terminal/color.ts";
import { SCREENS as TABLE } from "../../../src/app/tui/actions/screen-table.ts";
import { drawStacked } from "../../../src/app/tui/look/bars.ts";
import { Screen } from "../../../src/app/tui/terminal/cells.ts";
import { glyphsOf, history } from "../../../src/app/tui/terminal/glyphs.ts";
import { Histories } from "../../../src/app/tui/look/history.ts";
import { mipsText, shareMark, speedPieces } from "../../../src/app/tui/look/numbers.ts";
import type { Role } from "../../../src/app/tui/terminal/roles.ts";
import { plainLook } from "../../../src/app/tui/look/theme.ts";
import { VmMarks } from "../../../src/app/tui/look/vm-marks.ts";
import { everyFrame } from "./every-frame.ts";
import type { MachineSample } from "../../../src/model/protocol/protocol.ts";
import { PHONE_SAMPLE, phoneAnswer } from "./phone.ts";
import { Rig, SCREENS } from "./rig.ts";

const ground = ({ background }: DrawnCell) => roleOf(background);
const ink = ({ foreground }: DrawnCell) => roleOf(foreground);
const rows = (rig: Rig) => Array.from({ length: rig.screen.height }, (_, y) => rig.screen.cells(y));

/** Every screen in boxes and in rules. */
async function* screens(): AsyncGenerator<readonly [string, Rig]> {
  for (const [width, height] of [[80, 24], [120, 36], [200, 60]] as const) {
    for (const key of SCREENS) {
      const rig = new Rig(width, height, { ascii: false }, "direct");
      await rig.type(key);
      await rig.lines();
      yield [`screen ${key} at ${width}x${height}`, rig];
    }
  }
}

Deno.test("L1: the selected row of the overview has one background from border to border, and keeps its inks", async () => {
  for (const theme of ["dark", "light"] as const) {
    const rig = new Rig(120, 36, { ascii: false, theme }, "direct");
    await rig.lines();
    const before = rows(rig);
    const y = before.findIndex((cells) => cells[1].text === "▌" && ground(cells[1]) === "sel");
    const inner = before[y].slice(1, -1);
    const fills = /^fill/;
    assert.ok(inner.every((cell) => ground(cell) === "sel" || fills.test(ground(cell)!)), theme);
    await rig.type("j");
    await rig.lines();
    assert.deepEqual(rows(rig)[y].slice(2, -1).map(ink), before[y].slice(2, -1).map(ink), "inks");
    assert.ok(rows(rig)[y].slice(1, -1).every((cell) => ground(cell) === "bg" || fills.test(ground(cell)!)));
  }
});

Deno.test("L3: a refused row has its background in all cells; selected it has the selection's, and ! stays", async () => {
  const rig = new Rig(120, 36, { ascii: false }, "direct");
  await rig.type("9");
  await rig.lines();
  const refused = () =>
    rows(rig).find((cells) => cells.some(({ text }) => text === "!") && cells.map(({ text }) => text).join("").includes("MEM_RECLAIM"))!;
  const list = (cells: readonly DrawnCell[]) => cells.slice(1, cells.findIndex(({ text }, x) => x > 0 && text === "│"));
  const own = (role: Role) => list(refused()).every((cell) => ground(cell) === role || /^fill/.test(ground(cell)!));
  assert.ok(own("sel"));
  assert.equal(refused()[2].text, "!");
  await rig.type("k");
  await rig.lines();
  assert.ok(own("badbg"));
});

Deno.test("L4: the mark of the selection is in one row of the pane with the keys", async () => {
  for await (const [name, rig] of screens()) {
    const all = rows(rig);
    const marked = all.flatMap((cells, y) => cells.some((cell) => cell.text === "▌" && ground(cell) === "sel") ? [y] : []);
    const cursors = all.flatMap((cells) =>
      cells.flatMap((cell, x) => cell.text === "◆" || cell.text === "│" && ink(cell) === "accent" ? [x] : [])
    );
    if (name.startsWith("screen 4")) {
      // On what is blocked it is the alarm.
      const cursor = all.flat().filter((cell) => cell.text === "◆" || cell.text === "!" && ground(cell) === "accent");
      assert.ok(marked.length === 0 && cursor.length >= 1, `${name}: a map has a cursor`);
    } else if (name.startsWith("screen 8")) {
      // Sides of the focused box are accent too: they are at its ends.
      const inner = new Set(cursors.filter((x) => x > 0 && x < rig.screen.width - 1 && cursors.filter((other) => other === x).length > 1));
      assert.ok(marked.length === 0 && inner.size >= 1 && inner.size <= 2, `${name}: a timeline has one line of time, ${[...inner]}`);
    } else if (name.startsWith("screen 0")) {
      // A card has three rows; below 100x30 the answer is shown, which has nothing to select.
      assert.deepEqual(marked.map((y) => y - marked[0]), name.includes("80x24") ? [] : [0, 1, 2], name);
    } else assert.equal(marked.length, 1, name);
  }
});

Deno.test("L5: one pane has the frame of the focus", async () => {
  for (const key of SCREENS) {
    const rig = new Rig(120, 36, { ascii: false }, "direct");
    await rig.type(key);
    await rig.lines();
    const corners = rows(rig).flat().filter((cell) => cell.text === "╭" && ink(cell) === "accent");
    assert.equal(corners.length, 1, `screen ${key}`);
  }
});

Deno.test("L6: box corners close, and no text covers a border", async () => {
  for await (const [name, rig] of screens()) {
    const text = rows(rig).map((cells) => cells.map((cell) => cell.text));
    text.forEach((line, top) =>
      line.forEach((corner, left) => {
        if (corner !== "╭") return;
        const right = line.indexOf("╮", left);
        const bottom = text.findIndex((row, y) => y > top && row[left] === "╰");
        assert.ok(right > left && bottom > top, `${name}: ${top}, ${left}`);
        assert.equal(text[bottom][right], "╯", `${name}: ${top}, ${left}`);
        for (let y = top + 1; y < bottom; y++) assert.match(text[y][left] + text[y][right], /^[│├][│┤┃]$/, `${name}: row ${y}`);
      })
    );
  }
});

Deno.test("L7: boxes from 100x30 on, rules below", async () => {
  for (const [width, height, boxed] of [[99, 36, false], [120, 29, false], [80, 24, false], [100, 30, true]] as const) {
    const text = (await new Rig(width, height, { ascii: false }).lines()).join("");
    assert.equal(text.includes("╭"), boxed, `${width}x${height}`);
    if (!boxed) assert.doesNotMatch(text, /[│╰╯╮]/, `${width}x${height}`);
  }
});

Deno.test("L15, L16: a VM keeps letter and slot, also when others end; two VMs never share a letter", () => {
  const marks = new VmMarks();
  marks.assign(PHONE_SAMPLE.vms);
  const before = PHONE_SAMPLE.vms.map(({ name }) => marks.of(name));
  assert.deepEqual([marks.of("host"), marks.of("rm")].map(({ letter, fill }) => [letter, fill]), [["H", "fill0"], ["R", "fill1"]]);
  marks.assign([...PHONE_SAMPLE.vms.filter(({ name }) => name !== "debian"), { name: "hello", vmid: 0x90 }]);
  assert.deepEqual(PHONE_SAMPLE.vms.map(({ name }) => marks.of(name)), before);
  const again = new VmMarks();
  again.restore(JSON.parse(JSON.stringify(marks.kept)));
  again.assign(PHONE_SAMPLE.vms);
  assert.deepEqual(PHONE_SAMPLE.vms.map(({ name }) => again.of(name)), before);
  const many = new VmMarks();
  many.assign(Array.from({ length: 30 }, (_, index) => ({ name: `vm-${index}`, vmid: index + 4 })));
  const letters = Array.from({ length: 30 }, (_, index) => many.of(`vm-${index}`).letter);
  assert.equal(new Set(letters).size, 30);
  const slots = Array.from({ length: 6 }, (_, index) => many.of(`vm-${index}`).fill);
  assert.equal(new Set(slots).size, 6, "slots 2 to 7");
});

Deno.test("64 VMs with long names differ: by letter, or where letters repeat by color, and by the ends of their names", async () => {
  const [vm] = PHONE_SAMPLE.vms, name = (index: number) => `a-vm-with-a-rather-long-name-${String(index).padStart(2, "0")}`;
  const vms = Array.from({ length: 64 }, (_, index) => ({ ...vm, name: name(index), vmid: 100 + index, vcpus: [] }));
  const marks = new VmMarks();
  marks.assign(vms);
  const shown = vms.map(({ name }) => marks.of(name)).map(({ letter, fill }) => `${letter} ${fill}`);
  assert.equal(new Set(shown).size, 64);
  assert.ok(!shown.some((mark) => /^[?#rv]/.test(mark)));
  for (const [width, height] of [[80, 24], [120, 36], [200, 60]]) {
    const rig = new Rig(width, height);
    rig.sample({ vms });
    const rows = (await rig.lines()).flatMap((line) => /a-\S*~\S*-\d\d|a-vm-with-a-rather-long-name-\d\d/.exec(line)?.[0] ?? []);
    assert.ok(rows.length > 4, `${rows}`);
    assert.equal(new Set(rows).size, rows.length, `${rows}`);
  }
});

Deno.test("a title shows a filter once somebody has set one", async () => {
  const rig = new Rig(200, 60);
  assert.doesNotMatch(await rig.text(), /kind!=sched/);
  const lines = await rig.lines(), y = lines.findIndex((line) => line.includes(" Events ") && line.includes("follows"));
  const x = lines[y].indexOf(" Events ");
  await rig.type(`\x1b[<0;${x + 3};${y + 1}M`);
  await rig.keys("/");
  assert.match((await rig.lines()).at(-1)!, /kind!=sched/, "who edits it sees it");
  await rig.keys(" kind!=irq\r");
  assert.match(await rig.text(), /\/kind!=sched kind!=irq/);
});

Deno.test("L18: the color of the past is in no live frame; in the past row 1, frames and the scrubber have it", async () => {
  for await (const [name, rig] of everyFrame(120, 36, "direct")) {
    const past = rows(rig).flat().some((cell) => ink(cell) === "past" || ground(cell) === "past");
    assert.equal(past, name === "the past", name);
  }
});

Deno.test("L21: 66 % has no mark, 75 % is a warning, 90 % has ! and 95 % is bad", () => {
  const marks = [0.66, 0.75, 0.9, 0.95].map((share) => shareMark(share));
  assert.deepEqual(marks.map(({ role, alarm }) => [role, alarm]), [["text", false], ["warn", false], ["warn", true], ["bad", true]]);
});

Deno.test("L22: a history's newest sample is its right cell, and a new one moves all by one; between samples nothing changes", () => {
  const histories = new Histories(), glyphs = glyphsOf("full");
  const shown = () => history(glyphs, histories.of("x"), 6);
  for (let second = 0; second < 5; second++) histories.add(second * 1000, [["x", second / 6]]);
  const before = shown();
  histories.add(4500, [["x", 1]]);
  assert.equal(shown(), before);
  histories.add(5000, [["x", 1]]);
  assert.equal(shown().slice(0, -1), before.slice(1));
});

Deno.test("L25: a stacked bar of half D and three tenths H is letters in ASCII", () => {
  const screen = new Screen(10, 1, "16"), look = plainLook("dark", "16", "ascii");
  look.dress(screen);
  const mark = (letter: string, slot: 0 | 2) => ({ letter, ink: `vm${slot}`, fill: `fill${slot}` } as const);
  drawStacked(screen, look, { x: 0, y: 0, width: 10 }, [{ mark: mark("D", 2), share: 0.5 }, { mark: mark("H", 0), share: 0.3 }]);
  assert.equal(screen.toLines()[0], "DDDDDHHH..");
});

Deno.test("L35, L36, L37: at every width row 1 has name, state and time, the tabs fit, and hints end in ? help", async () => {
  for (const width of [80, 100, 120, 200]) {
    const rig = new Rig(width, 30);
    for (const { key, title } of TABLE) {
      await rig.type(key);
      const lines = await rig.lines();
      assert.match(lines[0], /^ el2 {2}phone +o LIVE +12\.481 306 s/, `${width}`);
      // Screen 0 shows them, and L comes after it.
      if (key !== "0" && key !== "L") assert.match(lines[0], /! 1\b/, "refusals that nobody has looked at");
      assert.ok(lines[1].includes(`${key} ${title}`), `${width} ${lines[1]}`);
      assert.ok(lines[1].includes("0 Why"));
      assert.match(lines.at(-2)!, /\? help$/);
      rig.apply({ kind: "sample", sample: { ...PHONE_SAMPLE, reasons: 1 } });
      if (key === "0") continue;
    }
  }
});

Deno.test("at every size each screen draws, and nothing throws", async () => {
  for (const width of [59, 60, 79, 80, 99, 100, 159, 160, 200]) {
    for (const height of [15, 16, 24, 29, 30, 60]) {
      const rig = new Rig(width, height);
      for (const key of SCREENS) {
        await rig.type(key);
        rig.app.draw(rig.screen);
        assert.equal(rig.screen.toLines().length, height);
      }
    }
  }
});

Deno.test("a machine that only waits is idle, not a speed of 0.02", () => {
  const texts = (mips: number, load: number, runs = false) => speedPieces({ mips, load, runs }).map(({ text }) => text);
  assert.deepEqual(texts(0.02, 0.001), ["idle"]);
  assert.deepEqual(texts(0.06, 0.001), ["0.06", " MIPS"]);
  // Slow is not idle, as in the first second of a machine.
  assert.deepEqual(texts(0.02, 0.99), ["0.02", " MIPS"]);
  assert.deepEqual(texts(0.02, 0.001, true), ["0.02", " MIPS"]);
  // Neither is it nothing.
  assert.deepEqual(texts(0.004, 0.99), ["<0.01", " MIPS"]);
  assert.deepEqual(texts(0, 0.99), ["<0.01", " MIPS"]);
  assert.deepEqual([mipsText(0), mipsText(0.001), mipsText(0.005), mipsText(9.94), mipsText(1204.4)], [
    "0",
    "<0.01",
    "0.01",
    "9.9",
    "1 204",
  ]);
});

/** The speed in the header, in the box of the overview, and the peak there. */
async function speeds(rig: Rig) {
  const text = await rig.text();
  return [
    / (?:s|[×x]\S+) {3}(starting|idle|\S+ MIPS) /.exec(text.split("\n")[0])?.[1],
    /Speed -+ (.*?) -/.exec(text)?.[1],
    /60 s, log, peak (\S+) /.exec(text)?.[1],
  ];
}

Deno.test("header and overview show one speed: of a machine that starts none yet, of one that is stopped none", async () => {
  const vms = (state: "RUN" | "WFI", load: number) =>
    PHONE_SAMPLE.vms.map((vm) => ({ ...vm, vcpus: vm.vcpus.map((vcpu) => ({ ...vcpu, state, load })) }));
  const first: MachineSample = { ...PHONE_SAMPLE, time: 0, instructions: 0, mips: 0, vms: vms("WFI", 0) };
  const rig = new Rig(120, 36, {}, "none", { title: "phone", samples: [first], consoles: [], answer: phoneAnswer });
  assert.deepEqual(await speeds(rig), ["starting", "starting", "0"]);
  const sample = async (changed: Partial<MachineSample>, after = 1000) => {
    rig.time += after;
    rig.sample({ time: rig.time * 1e6, instructions: rig.time, ...changed });
    return await speeds(rig);
  };
  // The first figures come at once.
  assert.deepEqual(await sample({ mips: 0.004, vms: vms("RUN", 0.004) }, 200), ["<0.01 MIPS", "<0.01 MIPS", "<0.01"]);
  assert.deepEqual(await sample({ mips: 212.4, vms: vms("RUN", 0.4) }), ["212 MIPS", "212 MIPS", "212"]);
  assert.deepEqual(await sample({ mips: 300, vms: vms("RUN", 0.4) }, 500), ["300 MIPS", "300 MIPS", "300"]);
  // The second had a mean of less.
  assert.deepEqual(await sample({ mips: 0, vms: vms("WFI", 0) }), ["idle", "idle", "300"]);
  assert.deepEqual(await sample({ mips: 0.01, vms: vms("RUN", 0) }), ["0.01 MIPS", "0.01 MIPS", "300"]);
  rig.apply({ kind: "paused", paused: true });
  assert.deepEqual(await speeds(rig), [undefined, undefined, "300"]);
  // A machine that continues begins with a sample over the time in which it was paused.
  assert.deepEqual(await sample({ mips: 0, vms: vms("RUN", 0) }), [undefined, undefined, "300"]);
  rig.apply({ kind: "paused", paused: false });
  assert.deepEqual(await speeds(rig), [undefined, undefined, "300"]);
  assert.deepEqual(await sample({ mips: 8, vms: vms("RUN", 0.9) }, 200), ["8.0 MIPS", "8.0 MIPS", "300"]);
  assert.deepEqual(await sample({ mips: 8, vms: vms("RUN", 0.9) }, 60_000), ["8.0 MIPS", "8.0 MIPS", "8.0"]);
  rig.apply({ kind: "ended", end: { code: 0, message: "every VM has ended" } });
  assert.deepEqual(await speeds(rig), [undefined, undefined, "8.0"]);
});
