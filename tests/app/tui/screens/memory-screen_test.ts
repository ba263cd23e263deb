import assert from "node:assert/strict";
import { roleOf } from "../../../../src/app/tui/terminal/color.ts";
import { Screen } from "../../../../src/app/tui/terminal/cells.ts";
import { drawCell, linesOf, regionAt, regionsOf } from "../../../../src/app/tui/panes/memory/memory-map.ts";
import { MEMORY_VIEWS, type Patch } from "../../../../src/app/tui/panes/memory/memory-views.ts";
import { plainLook } from "../../../../src/app/tui/look/theme.ts";
import type { Query } from "../../../../src/model/queries/query.ts";
import { phoneAnswer, phoneRows } from "../phone.ts";
import { press, Rig } from "../rig.ts";

const MiB = 2 ** 20;
const patch = (key: string, rest: Partial<Patch> = {}): Patch => ({
  ...{ key, name: key, letter: key[0].toUpperCase(), fill: "fill0", ink: "fink", rank: 1 },
  ...rest,
});

/** The map's cells, a line of them each, by address. */
function cells(lines: readonly string[]): Map<string, string> {
  return new Map(lines.flatMap((line): [string, string][] => {
    const match = /^[|│].(0x[0-9a-f]{8}) {2}(.{64})/.exec(line);
    return match ? [[match[1], match[2]]] : [];
  }));
}

/** The view whose name stands out in the title. */
function shownView({ screen }: Rig): string {
  const title = screen.cells(2).slice(0, 84);
  return title.filter((cell) => roleOf(cell.foreground) === "strong").map(({ text }) => text).join("").trim();
}

Deno.test("v on the map of memory: who can reach it, whose it is, in what state, then the list of runs", async () => {
  const rig = new Rig(120, 36);
  await rig.type("4");
  const access = await rig.lines();
  assert.match(access.join("\n"), /= Physical memory =+ access {2}owner {2}state {2}cell 64K {2}row 4M =/);
  assert.equal(shownView(rig), "access");
  // debian's memory is the host's too; nobody has accepted rt's.
  const line = (lines: readonly string[], at: string) => cells(lines).get(at)!;
  const ends = (lines: readonly string[]) => ["0x58000000", "0x58400000"].map((at) => line(lines, at).slice(0, 4));
  assert.deepEqual(ends(access), ["????", "!..."]);
  assert.match(line(access, "0x48000000"), /^d+$/);
  await rig.type("v");
  const owner = await rig.lines();
  assert.equal(shownView(rig), "owner");
  assert.match(owner.join("\n"), /! blocked {2}H host {2}h host, in parcels {2}\. free/);
  assert.deepEqual(ends(owner), ["hhhh", "!..."]);
  assert.match(line(owner, "0x47c00000"), /^H+$/);
  await rig.type("v");
  const state = await rig.lines();
  assert.equal(shownView(rig), "state");
  assert.match(state.join("\n"), /! blocked {2}\? offered {2}P private {2}a accepted {2}\. free/);
  assert.deepEqual(ends(state), ["????", "!..."]);
  assert.match(line(state, "0x47c00000"), /^P+$/);
  await rig.type("v");
  assert.match(await rig.text(), /= Physical memory \d/);
  await rig.type("v");
  assert.deepEqual(await rig.lines(), access);
});

Deno.test("+ on the map of memory comes down to single pages around the selected run, - back to all that fits", async () => {
  const rig = new Rig(120, 36);
  await rig.type("4");
  // The cursor begins on what is blocked.
  const whole = await rig.lines();
  assert.match(whole.join("\n"), /Page pa:0x58400000/);
  const cell = async () => /state {2}cell (\S+)/.exec(await rig.text())?.[1];
  assert.equal(await cell(), "64K");
  await rig.type("-");
  assert.equal(await cell(), "64K");
  for (const size of ["32K", "16K", "8K", "4K", "4K"]) {
    await rig.type("+");
    assert.equal(await cell(), size);
  }
  const shown = cells(await rig.lines());
  assert.match(shown.get("0x58400000")!, /^!{16}\.+$/);
  for (let i = 0; i < 9; i++) await rig.type("-"), await rig.lines();
  assert.equal(await cell(), "64K");
  assert.deepEqual(await rig.lines(), whole);
  await rig.type("5-");
  assert.match(await rig.text(), /nothing to zoom here/);
});

Deno.test("an address of a VM leads to its run on the map, also before the map was ever shown", async () => {
  const rig = new Rig();
  await rig.type(":ipa:debian/0x80001000\r");
  assert.match(await rig.text(), /Page pa:0x48000000/);
  await rig.type(":pa:0x40000000\r");
  assert.match(await rig.text(), /Page pa:0x40000000/);
  await rig.type(":ipa:debian/0x80002000\r");
  assert.match(await rig.text(), /Page pa:0x48000000/);
});

Deno.test("the page under the cursor: owner, mappings, access, state and the chain of extents", async () => {
  const rig = new Rig(120, 36);
  await rig.type("4");
  await rig.lines();
  await rig.type("g");
  assert.match(await rig.text(), /Owner {3}H host .*\n.*Mapped {2}H host 0x40000000 rwx.*\n.*Access {2}only host .*\n.*State {3}private/);
  assert.match(await rig.text(), /root partition[^\n]*\n[^\n]*` obj:12[^\n]*\n[^\n]* {2}` mapped by host/);
  await rig.type("jjj");
  const text = await rig.text();
  assert.match(text, /Owner {3}H host in parcel:0x12/);
  assert.match(text, /Access {2}host, debian and rt/);
  assert.match(text, /State {4}! BLOCKED /);
  assert.match(text, /root partition.*\n.*` obj:12.*\n.* {2}` obj:62.*\n.* {4}` mapped by host, debian, rt/);
  rig.answer = (query) =>
    query.table === "mem.owner" ? { ...phoneAnswer(query), rows: [], error: "the machine has ended" } : phoneAnswer(query);
  await rig.type("k");
  assert.match(await rig.text(), /x the machine has ended/);
});

Deno.test("limits are listed nearest first, those without a limit last; at 80x24 Tab brings the parcels", async () => {
  const rig = new Rig(80, 24);
  rig.answer = (query) => {
    const answer = phoneAnswer(query);
    const [first, second] = answer.rows;
    const free = { ...first, id: "limit:free-page-tables", what: "free page tables", used: 212, limit: null, unit: "tables", share: null };
    return query.table === "mem.limits" ? { ...answer, rows: [free, second, first] } : answer;
  };
  await rig.type("4");
  assert.match(
    await rig.text(),
    /Limits 3 -.*nearest first[^]*root heap +=+--? +90 %! +3\.6M of 4M\n.*capabilities debian +=-+ +1 % +6 of 1 024/,
  );
  await rig.press("tab", "tab");
  assert.match(await rig.text(), /Memory parcels 2[^]*parcel:0x12 +share +64K +H host/);
  assert.doesNotMatch(await rig.text(), /Limits/);
});

Deno.test("L26: a cell is its run's fill; what two share has both fills, and no other cell has two", async () => {
  const look = plainLook("dark", "direct", "full"), screen = new Screen(4, 1, "direct");
  const cell = (shown: Patch) => {
    screen.clear();
    drawCell(screen, look, 0, 0, shown);
    const { text, foreground, background } = screen.cells(0)[0];
    return [text, roleOf(foreground), roleOf(background)];
  };
  assert.deepEqual(cell(patch("guest", { fill: "fill3" })), [" ", "fink", "fill3"]);
  assert.deepEqual(cell(patch("both", { fill: "fill0", also: "fill2" })), ["▀", "fill0", "fill2"]);
  assert.deepEqual(cell(patch("free", { fill: undefined, rank: 0 })), ["·", "faint", "bg"]);
  // On the screen: what debian and the host share, in all its cells but those of the label.
  const rig = new Rig(120, 36, { ascii: false }, "direct");
  await rig.type("4");
  const y = (await rig.lines()).findIndex((line) => /0x48000000/.test(line));
  for (const { text, foreground, background } of rig.screen.cells(y).slice(14, 14 + 64)) {
    assert.deepEqual([text, roleOf(foreground), roleOf(background)], ["▀", "fill0", "fill2"]);
  }
});

Deno.test("L27: a blocked parcel of 64 KiB is visible at every zoom, in every view and size", async () => {
  for (const [width, height] of [[80, 24], [100, 30], [120, 36], [160, 48], [200, 60]]) {
    for (const ascii of [true, false]) {
      const rig = new Rig(width, height, { ascii }, "direct");
      await rig.type("4");
      await rig.lines();
      // Nor does the cursor hide it on another run that begins in its cell.
      await rig.type("j");
      await rig.lines();
      assert.match(rig.screen.toLines().join("\n"), /0x58[0-9a-f]{6} {2}.*!/);
      await rig.type("k");
      for (let view = 0; view < MEMORY_VIEWS.length; view++) {
        for (let zoom = 0; zoom < 8; zoom++) {
          rig.app.draw(rig.screen);
          const found = rig.screen.toLines().findIndex((line) => /0x[0-9a-f]{8}.*!/.test(line));
          assert.ok(found > 0, `${width}x${height} view ${view} zoom ${zoom}\n${rig.screen.toLines().join("\n")}`);
          await press(rig, "+");
        }
        for (let zoom = 0; zoom < 8; zoom++) await press(rig, "-"), rig.app.draw(rig.screen);
        await press(rig, "v");
      }
    }
  }
});

Deno.test("L28: labels are in regions of three lines and more, and hide no !", async () => {
  const regions = regionsOf([
    { pa: 0, size: 8 * MiB, patch: patch("host") },
    { pa: 8 * MiB, size: 2 * MiB, patch: patch("rt") },
    { pa: 10 * MiB, size: MiB, patch: patch("blocked", { alert: true, rank: 5 }) },
    { pa: 11 * MiB, size: 40 * MiB, patch: patch("debian") },
  ]);
  const lines = linesOf(regions, MiB);
  assert.deepEqual(lines.filter(({ kind }) => kind === "folded").map(({ whole }) => whole?.patch.key), ["host", "debian"]);
  lines.slice(1).forEach(({ base }, index) => assert.equal(base, lines[index].to));
  assert.equal(lines.at(-1)?.to, 51 * MiB);
  const at = (from: number, to: number) => regionAt(regions, from, to)?.patch.key;
  assert.deepEqual([at(9 * MiB, 11 * MiB), at(7 * MiB, 9 * MiB)], ["blocked", "rt"], "the highest, then the smallest");

  const rig = new Rig(120, 36);
  const block = (query: Query) => {
    const answer = phoneAnswer(query);
    if (query.table !== "mem.map") return answer;
    // Each run is blocked, the large ones too.
    return { ...answer, rows: phoneRows("mem.map").map((row) => row.state === "free" ? row : { ...row, state: "blocked" }) };
  };
  rig.answer = block;
  await rig.type("4");
  for (const [address, text] of cells(await rig.lines())) {
    if (Number(address) < 0x5800_0000) assert.match(text, /^!+$/, address);
  }
});

Deno.test("the map and the page say that they load, that there is nothing, and which error occurred", async () => {
  for (
    const [error, rows, expected] of [[undefined, [], /there is no memory/], [
      "the machine has ended",
      [],
      /the machine has ended/,
    ]] as const
  ) {
    const rig = new Rig(120, 36);
    rig.answer = (query) => query.table === "mem.map" ? { ...phoneAnswer(query), rows: [...rows], error } : phoneAnswer(query);
    await rig.type("4");
    assert.match(await rig.text(), expected);
    assert.match(await rig.text(), /no page is selected/);
  }
  const rig = new Rig(120, 36);
  await rig.type("4");
  rig.app.draw(rig.screen);
  const silent = new Rig(120, 36);
  silent.answer = (query) => ({ ...phoneAnswer(query), rows: [] });
  silent.app.key({ name: "4", bytes: new Uint8Array() });
  silent.app.draw(silent.screen);
  assert.match(silent.screen.toLines().join("\n"), /Physical memory[^]*loading/);
});

Deno.test("at 100x30 the lines of the page are continued rather than cut; a last one that is cut says so", async () => {
  const rig = new Rig(100, 30);
  await rig.type("4");
  const lines = (await rig.lines()).map((line) => line.slice(-29, -1).trim());
  const from = lines.findIndex((line) => line.startsWith("Owner"));
  assert.deepEqual(lines.slice(from, from + 7), [
    "Owner   H host in",
    "parcel:0x12",
    "Mapped  T rt 0x80400000 rw",
    "State    ! BLOCKED",
    "reclaim was",
    "refused",
    "Chain   root partition >~",
  ]);
});
