// Checks of the look that go through all frames: what colors mean, the form of numbers, what fills
// the screen.

import assert from "node:assert/strict";
import { Activity } from "../../../src/app/tui/panes/overview/activity.ts";
import { hasBoxes } from "../../../src/app/tui/look/box.ts";
import { drawFrame, type Title } from "../../../src/app/tui/look/box.ts";
import { type DrawnCell, Screen } from "../../../src/app/tui/terminal/cells.ts";
import { Attribute, roleOf } from "../../../src/app/tui/terminal/color.ts";
import { ConsolePane } from "../../../src/app/tui/panes/consoles/console-pane.ts";
import { textBytes } from "../../../src/app/tui/terminal/keys.ts";
import { alignsRight } from "../../../src/model/queries/texts/format.ts";
import { columnsOf, drawCell, placeColumns } from "../../../src/app/tui/look/list.ts";
import { countText } from "../../../src/app/tui/look/numbers.ts";
import { picture } from "../../../src/app/tui/look/picture.ts";
import { reasonLines } from "../../../src/app/tui/panes/reason-lines.ts";
import { GROUNDS, type Role, TINTS, VM_FILLS } from "../../../src/app/tui/terminal/roles.ts";
import { makeScreens } from "../../../src/app/tui/screens/screens.ts";
import { plainLook } from "../../../src/app/tui/look/theme.ts";
import { TreePane } from "../../../src/app/tui/panes/overview/tree-pane.ts";
import type { Answer, Query } from "../../../src/model/queries/query.ts";
import { rowsOf } from "../../../src/model/queries/query.ts";
import type { Json, Row, Table } from "../../../src/model/queries/table.ts";
import { REASONS, TABLES } from "../../../src/model/queries/tables.ts";
import { everyFrame } from "./every-frame.ts";
import { PHONE_SAMPLE, phoneAnswer, phoneRows } from "./phone.ts";
import { Rig, SCREENS } from "./rig.ts";
import { sizeText } from "../../../src/kit/support/text/number-text.ts";

const ground = ({ background }: DrawnCell) => roleOf(background);
const ink = ({ foreground }: DrawnCell) => roleOf(foreground);
const rows = (rig: Rig) => Array.from({ length: rig.screen.height }, (_, y) => rig.screen.cells(y));
const textOf = (cells: readonly DrawnCell[]) => cells.map(({ text }) => text).join("");

const CHIPS: readonly Role[] = ["accent", "ok", "warn", "bad", "past"];
const OVERLAYS = /help|palette|actions|danger|question|copies|stop rule|lost|what a request|filter that/;

Deno.test("L2: backgrounds other than the page's belong to chips, fills, tints, selections, row 1 and overlays", async () => {
  for await (const [name, rig] of everyFrame(120, 36, "direct", { ascii: false })) {
    for (const [y, cells] of rows(rig).entries()) {
      for (const [x, cell] of cells.entries()) {
        const role = ground(cell), place = `${name}: column ${x}, row ${y}: ${role}`;
        assert.ok(role, place);
        if (([...GROUNDS, ...TINTS, ...VM_FILLS] as readonly Role[]).includes(role)) {
          if (role === "raised") assert.ok(y === 0 || OVERLAYS.test(name), place);
          if (role === "overlay") assert.ok(OVERLAYS.test(name), place);
          if ((VM_FILLS as readonly Role[]).includes(role) && cell.text.trim()) {
            // The cursor of a timeline goes through all lanes.
            const line = cell.text === "│" && ink(cell) === "accent";
            assert.ok(line || ink(cell) === "fink" || (VM_FILLS as readonly Role[]).includes(ink(cell)!), `${place} ${ink(cell)}`);
          }
        } else {
          // A map of memory without a VM has the inks of graphs.
          if (/^g\d$/.test(role) && name.startsWith("memory")) continue;
          assert.ok(CHIPS.includes(role), place);
          assert.equal(ink(cell), "ink", place);
        }
      }
    }
  }
});

Deno.test("L8: between title and right part are two cells of line at least, and the count stays longest", () => {
  const title: Title = {
    text: "Virtual machines",
    count: 123,
    right: [[{ text: "by rate", role: "dim" }], [{ text: "/vm!=rm 15 of 23", role: "accent" }], [{ text: "follows", role: "ok" }]],
  };
  let most = 0;
  for (let width = 24; width <= 120; width++) {
    for (const boxed of [true, false]) {
      const screen = new Screen(width, 6, "direct"), look = plainLook("dark", "direct", "full");
      drawFrame(screen, look, { x: 0, y: 0, width, height: 6 }, title, { boxed, kind: "focused", focus: true });
      const line = textOf(screen.cells(0));
      assert.equal(line.length, width);
      const found = /^╭?─ (Virtual machines 123|Vir.*… 123) (─+)(?: (.*?) ─)?[─╮]?$/.exec(line) ?? assert.fail(line);
      const parts = (found[3] ?? "").split("  ").filter((part) => part !== "").length;
      if (parts) assert.ok(found[2].length >= 2 && found[1] === "Virtual machines 123", line);
      assert.ok(parts >= most || !boxed, "a wider box shows no less");
      if (boxed) most = parts;
    }
  }
  assert.equal(most, 3);
});

Deno.test("L12: without color there are attributes only, and states, refusals, focus, selection and VMs still differ", async () => {
  for await (const [name, rig] of everyFrame(80, 24, "none", { ascii: true })) {
    rig.screen.invalidate();
    // deno-lint-ignore no-control-regex
    const codes = [...rig.frame().matchAll(/\x1b\[([0-9;]*)m/g)].flatMap(([, list]) => list.split(";").map(Number));
    assert.deepEqual(codes.filter((code) => ![0, 1, 2, 7, 22, 27].includes(code)), [], name);
  }
  const lines = async (keys: string, change: (rig: Rig) => void = () => {}) => {
    const rig = new Rig(120, 36, { ascii: true }, "none");
    change(rig);
    await rig.lines();
    await rig.type(keys);
    return await rig.lines();
  };
  const before = await lines("g"), moved = await lines("gj"), other = await lines("g\t");
  assert.equal(before.filter((line, y) => line !== moved[y] && /[>|]/.test(line)).length > 0, true, "selection");
  assert.ok(other.some((line, y) => line !== before[y] && line.includes("==")), "focus");
  assert.ok(before.some((line) => /o runs/.test(line)) && before.some((line) => /\. waits/.test(line)), "states");
  const crashed = await lines("g", (rig) => {
    rig.answer = (query) => {
      const answer = phoneAnswer(query);
      return { ...answer, rows: answer.rows.map((row) => row.id === "vcpu:rt/0" ? { ...row, state: "fault" } : row) };
    };
    rig.apply({
      kind: "sample",
      sample: {
        ...PHONE_SAMPLE,
        vms: PHONE_SAMPLE.vms.map((vm) =>
          vm.name === "rt" ? { ...vm, vcpus: vm.vcpus.map((vcpu) => ({ ...vcpu, state: "FAULT" as const })) } : vm
        ),
      },
    });
  });
  assert.ok(crashed.some((line) => /x fault/.test(line)), "a fault has its own shape");
  assert.ok((await lines("9")).some((line) => /^\|[> ]!.*MEM_RECLAIM/.test(line)), "refused");
  const letters = before.flatMap((line) => /^\|[> ] ?([A-Z#]) +(debian|rt|host|rm)\b/.exec(line)?.[1] ?? []);
  assert.ok(letters.length >= 3 && new Set(letters).size === letters.length, "VMs have letters");
});

/** A machine in which nothing was refused, nothing is wrong and nothing is scarce. */
function healthy(query: Query): Answer {
  const answer = phoneAnswer(query);
  const rows = answer.rows.filter((row) => query.table !== "why" && !/blocked|EINVAL|MEM_INUSE|storm/.test(JSON.stringify(row))).map(
    (row): Row => {
      const good: Record<string, Json> = {
        res: "OK",
        err: typeof row.err === "boolean" ? false : null,
        failed: false,
        refused: typeof row.refused === "number" ? 0 : row.refused,
        finding: null,
        fact: null,
        used: typeof row.used === "number" ? 1 : "1",
        blocked: null,
        level: "info",
      };
      return Object.fromEntries(Object.entries(row).map(([name, value]) => [name, name in good ? good[name] : value])) as Row;
    },
  );
  return { ...answer, rows };
}

Deno.test("L17: the ink of what is bad is in no frame of a machine in which nothing is", async () => {
  for (const key of SCREENS) {
    const rig = new Rig(120, 36, { ascii: false }, "direct");
    rig.answer = healthy;
    rig.apply({ kind: "sample", sample: { ...PHONE_SAMPLE, reasons: 0 } });
    await rig.type(key);
    await rig.lines();
    for (const cells of rows(rig)) {
      const bad = cells.filter((cell) => (ink(cell) === "bad" && cell.text !== " ") || ground(cell) === "badbg" || ground(cell) === "bad");
      assert.deepEqual(textOf(bad), "", `screen ${key}: ${textOf(cells)}`);
    }
  }
});

Deno.test("L19: the last digits of a column are in one column of the screen", () => {
  for (const table of Object.values(TABLES)) {
    const look = plainLook("dark", "direct", "full");
    const { columns } = placeColumns(columnsOf(table), 200);
    for (const { column, x, width } of columns) {
      const declared = (table as Table).columns[column.name];
      if (!column.right || !alignsRight(declared)) continue;
      const own = Math.min(column.width, width), screen = new Screen(220, 3, "direct");
      const values = declared.kind === "share" ? [0.05, 0.66] : ["7", "1204", "1"];
      const ends = values.map((value, y) => {
        const row = { ...phoneRows(table.name as never)[0] ?? {}, id: "vm:rt", [column.name]: value };
        drawCell(screen, look, { x, y, width: own }, column.pieces(row, { look, width: own, at: 0, bad: false, first: false }), true);
        return textOf(screen.cells(y)).slice(0, x + own).trimEnd().length;
      });
      assert.equal(new Set(ends).size, 1, `${table.name} ${column.name}: ${ends}`);
    }
  }
});

Deno.test("L20: thousands are separated, and no number outside of the inspector has more than six digits without a unit", async () => {
  assert.deepEqual([999, 1000, 1204, 841_000, 2_650_000].map(countText), ["999", "1 000", "1 204", "841 000", "2.6M"]);
  assert.equal(sizeText(478 * 2 ** 20), "478M");
  for await (const [name, rig] of everyFrame(120, 36, "direct", { ascii: false })) {
    // A copy shows what JSON has.
    if (name === "copies") continue;
    for (const line of (await rig.lines()).slice(0, -2)) {
      // Ids, addresses, versions, times and what guests print have their own forms; a box may cover
      // the beginning of one.
      const own = line.replaceAll(
        /(?<=[│╯])\d+|[0-9a-f]{16}|[\w.]*(?:0x|:|\/|#)[\w./:-]+|\d+\.[\d ]+|[A-Za-z_]\w*\d\w*|\[ *\d+\.\d+\]/g,
        " ",
      );
      const long = [...own.matchAll(/(?<![\w.])\d{5,}(?![\w.])/g)].map(([text]) => text);
      assert.deepEqual(long, [], `${name}: ${line}`);
    }
  }
});

Deno.test("L30: the failing step alone has the background of a refusal, way out that of a way out; both have a bar", async () => {
  for (const [width, height] of [[80, 24], [120, 36], [200, 60]] as const) {
    const rig = new Rig(width, height, { ascii: false }, "direct");
    await rig.type("0");
    await rig.lines();
    const tinted = (role: Role) => rows(rig).slice(1).filter((cells) => cells.some((cell) => ground(cell) === role));
    const failing = tinted("badbg"), out = tinted("okbg");
    assert.equal(failing.length, 1, `${width}`);
    assert.match(textOf(failing[0]), /▌.*× rule .*failed here/);
    assert.ok(out.length >= 2 && out.every((cells) => /▌/.test(textOf(cells))), `${width}`);
  }
});

/** A refusal with a chain of four operations. */
function longReason() {
  const [row] = phoneRows("why");
  const step = (id: number, kind: string, name: string) => ({
    id: `ev:${id}`,
    kind,
    name,
    args: {},
    result: { code: -22, name: "EINVAL" },
  });
  const chain = [
    step(1, "ioctl", "GH_VM_START"),
    step(2, "rpc", "VM_START"),
    step(3, "rpc", "MEM_RECLAIM"),
    step(4, "hvc", "memextent_unmap"),
  ];
  return rowsOf(REASONS, { table: "why", rows: [{ ...row, chain }] })[0];
}

Deno.test("L31: at 80x24 a chain of four, the rule, what was found and the way out need no scrolling", () => {
  const lines = reasonLines(longReason(), plainLook("dark", "direct", "full"), 80, 20);
  // Rows of the body below the title.
  assert.ok(lines.length <= 19, `${lines.length}`);
  const shown = lines.map(({ text, pieces }) => text || (pieces ?? []).map((piece) => piece.text).join("")).join("\n");
  for (const part of ["memextent_unmap", "The chain", "The rule", "Values", "Way out", "holder"]) {
    assert.ok(shown.includes(part), part);
  }
});

Deno.test("L32: the first sentence of each reason has the object's name and none of el2's own abbreviations", () => {
  for (const reason of [longReason(), ...rowsOf(REASONS, { table: "why", rows: phoneRows("why") })]) {
    const lines = reasonLines(reason, plainLook("dark", "direct", "full"), 100, 40);
    const sentence = lines.filter(({ role }) => role === "strong").map(({ text }) => text).join(" ");
    assert.ok(sentence.includes(String(reason.object)), sentence);
    assert.match(sentence, /^[^.]+ was refused: .*\.$/);
    assert.doesNotMatch(sentence, /\b(?:obj|cfg|dom|hyp|irqc|mext|partn|err)\b/i);
  }
});

Deno.test("an exit of a guest of EL2 was not refused: its sentence says where it went, and its rule what sent it", () => {
  const trapped = { kind: "trapped", call: "read TTBR0_EL1", err: "not entered since", object: "VMID 7 vCPU 0" } as const;
  const lines = reasonLines(
    { ...longReason(), ...trapped, rule: "HCR_EL2.TRVM sends it to EL2" },
    plainLook("dark", "direct", "full"),
    100,
    40,
  );
  const sentence = lines.filter(({ role }) => role === "strong").map(({ text }) => text).join(" ").trim();
  assert.equal(sentence, "read TTBR0_EL1 of VMID 7 vCPU 0 left to EL2, not entered since: HCR_EL2.TRVM sends it to EL2.");
  assert.deepEqual(lines.flatMap(({ tint, right }) => tint === "badbg" ? right?.map(({ text }) => text) ?? [] : []), ["sent it"]);
});

Deno.test("L43: a list with more rows than room shows its position, and at the end it says so", async () => {
  for (const [width, height] of [[80, 24], [120, 30]] as const) {
    const rig = new Rig(width, height, { ascii: false }, "direct");
    const many = Array.from({ length: 300 }, (_, index) => ({ ...phoneRows("irq.ls")[0], id: `irq:rt/${32 + index}`, irq: 32 + index }));
    rig.answer = (query) => query.table === "irq.ls" ? { ...phoneAnswer(query), rows: many } : phoneAnswer(query);
    await rig.type("3g");
    await rig.lines();
    const position = async () => /\d+ of 300/.exec((await rig.lines()).join("\n"))?.[0];
    const thumb = () => rows(rig).findIndex((cells) => cells.some(({ text }) => text === "┃"));
    assert.equal(await position(), "1 of 300");
    const top = thumb();
    await rig.type("G");
    assert.equal(await position(), "300 of 300");
    if (width >= 100) assert.ok(top > 0 && thumb() > top, "the thumb goes down");
  }
});

Deno.test("L44: areas of panes tile the body at every size", () => {
  const activity = new Activity(), tree = new TreePane(activity), console = new ConsolePane("ctrl-]", () => {}, () => {});
  tree.update(PHONE_SAMPLE);
  for (const refused of [false, true]) {
    const parts = { tree, console, activity, clock: () => 0, unseen: () => refused ? 1 : 0, refusedLately: () => refused };
    for (const screen of makeScreens(parts)) {
      for (const width of [60, 79, 80, 99, 100, 119, 120, 159, 160, 200, 240]) {
        for (const height of [16, 20, 24, 29, 30, 36, 48, 60]) {
          const boxed = hasBoxes({ width, height });
          const body = { x: 0, y: 2, width, height: height - 4, boxed };
          for (const focus of screen.panes) {
            const places = screen.layout(body, focus).filter(({ area }) => area.height > 0 && area.width > 0);
            const covered = new Uint8Array(width * height);
            for (const { area } of places) {
              for (let y = area.y; y < area.y + area.height; y++) {
                for (let x = area.x; x < area.x + area.width; x++) covered[y * width + x]++;
              }
            }
            const name = `screen ${screen.key} at ${width}x${height}, ${focus.name}`;
            let gaps = 0;
            for (let y = 0; y < height; y++) {
              for (let x = 0; x < width; x++) {
                const count = covered[y * width + x], inside = y >= 2 && y < height - 2;
                // A text for each of millions of cells takes longer than the check.
                if (count > 1) assert.fail(`${name}: ${count} panes at ${x}, ${y}`);
                if (!inside && count > 0) assert.fail(`${name}: outside at ${x}, ${y}`);
                if (inside && count === 0) gaps++;
              }
            }
            // Without boxes a line of one column separates panes that are side by side.
            const lines = boxed ? 0 : places.filter(({ area }) => area.x > 0).reduce((sum, { area }) => sum + area.height, 0);
            assert.ok(gaps <= lines, `${name}: ${gaps} cells of nobody`);
          }
        }
      }
    }
  }
});

Deno.test("L45: where amounts differ, only cells of amounts change", async () => {
  const words = async (load: number, mips: number) => {
    const rig = new Rig(120, 36, { ascii: false }, "direct");
    rig.apply({
      kind: "sample",
      sample: {
        ...PHONE_SAMPLE,
        mips,
        vms: PHONE_SAMPLE.vms.map((vm) => ({ ...vm, vcpus: vm.vcpus.map((vcpu) => ({ ...vcpu, load })) })),
      },
    });
    const lines = (await rig.lines()).slice(7);
    return lines.map((line) => [...line.matchAll(/[A-Za-z%]+/g)].map(({ 0: word, index }) => `${index} ${word}`));
  };
  assert.deepEqual(await words(0.02, 7), await words(0.66, 7));
  assert.deepEqual(await words(0.02, 7), await words(0.66, 1204));
});

Deno.test("L52: a guest's own colors stay, what has none takes those of the page, and its reverse stays inside its cells", async () => {
  const rig = new Rig(120, 36, { ascii: false }, "direct");
  rig.apply({
    kind: "console",
    console: "debian",
    bytes: textBytes("\r\n\x1b[31mRED\x1b[0m \x1b[38;2;1;2;3mRGB\x1b[0m \x1b[7mREV\x1b[0m PLAIN"),
  });
  await rig.lines();
  const cells = rows(rig).find((row) => textOf(row).includes("RED RGB REV PLAIN"))!;
  const at = textOf(cells).indexOf("RED");
  const [red, rgb, reverse, after, plain] = [at, at + 4, at + 8, at + 11, at + 12].map((x) => cells[x]);
  assert.deepEqual([red.foreground, rgb.foreground], [2, 0x1010203]);
  assert.deepEqual([ink(plain), ground(plain), ground(red)], ["text", "bg", "bg"]);
  assert.equal(reverse.attributes & Attribute.Reverse, Attribute.Reverse);
  assert.ok([after, plain, cells[at + 7]].every(({ attributes }) => (attributes & Attribute.Reverse) === 0));
});

Deno.test("L53: when the session is lost the body has no color but in the box", async () => {
  const rig = new Rig(120, 36, { ascii: false }, "direct");
  await rig.lines();
  rig.frame();
  rig.app.lost("session phone: its socket is gone");
  await rig.lines();
  const text = rows(rig).map(textOf);
  const top = text.findIndex((line) => line.includes("Connection lost"));
  const left = rows(rig)[top].findIndex((cell) => cell.text === "╭" && ink(cell) === "bad");
  const bottom = text.findIndex((line, y) => y > top && line[left] === "╰");
  const right = rows(rig)[top].findLastIndex((cell) => cell.text === "╮" && ink(cell) === "bad");
  assert.ok(top > 1 && bottom > top && left > 0 && right > left);
  for (const [y, cells] of rows(rig).entries()) {
    if (y < 2 || y >= rig.screen.height - 2) continue;
    for (const [x, cell] of cells.entries()) {
      if (y >= top && y <= bottom && x >= left && x <= right) continue;
      assert.deepEqual([ink(cell), ground(cell), cell.attributes], ["text", "bg", Attribute.Dim], `${x}, ${y}`);
    }
  }
});

Deno.test("L54: pictures have shapes instead of blocks and braille, and are below 200 KB", async () => {
  for (const [width, height] of [[80, 24], [120, 36]] as const) {
    for await (const [name, rig] of everyFrame(width, height, "direct", { ascii: false })) {
      const svg = picture(rig.screen, name);
      for (const [, text] of svg.matchAll(/<text[^>]*>([^<]*)/g)) assert.doesNotMatch(text, /[\u2500-\u259f\u2800-\u28ff]/, name);
      assert.ok(svg.length < 200_000, `${name}: ${svg.length}`);
    }
  }
});
