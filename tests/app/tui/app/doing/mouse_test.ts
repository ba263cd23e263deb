import assert from "node:assert/strict";
import { phoneAnswer } from "../../phone.ts";
import { Rig } from "../../rig.ts";

Deno.test("W20: a click selects the row under it, :mouse off ends reports", async () => {
  const rig = new Rig();
  await rig.lines();
  await rig.type("\x1b[<0;6;13M"); // row 13 is the third of the tree, its heading above
  assert.match((await rig.inside())[12], /^> /);
  await rig.type(":mouse off\r");
  assert.deepEqual(rig.mouse, [false]);
});

Deno.test("two clicks at one place are Enter, two at different times are not", async () => {
  const rig = new Rig();
  await rig.keys("7");
  const row = (await rig.lines()).findIndex((line) => line.includes("rpc:214")) + 1;
  const click = `\x1b[<0;6;${row}M`;
  await rig.type(click);
  rig.time += 1000;
  await rig.type(click);
  assert.equal(rig.shown, "7");
  assert.doesNotMatch(await rig.text(), /from rpc:214 to/);
  rig.time += 100;
  await rig.type(click);
  assert.match(await rig.text(), /from rpc:214 to/);
});

/** Presses the left button at a cell, from 0, and lets it go. */
const click = (x: number, y: number) => `\x1b[<0;${x + 1};${y + 1}M\x1b[<0;${x + 1};${y + 1}m`;

Deno.test("a click on a tab shows its screen, at every width", async () => {
  for (const width of [60, 80, 120]) {
    const rig = new Rig(width, 30);
    for (const [key, word] of [["4", "4"], ["0", "0"], ["2", "2"]]) {
      const tabs = (await rig.lines())[1];
      await rig.type(click(tabs.search(new RegExp(`(?<=^| )${word}`)), 1));
      assert.equal(rig.shown, key, `${width} ${tabs}`);
    }
  }
});

Deno.test("a click on a heading sorts by its column, a second one the other way round, a third one not at all", async () => {
  const rig = new Rig();
  await rig.keys("2");
  const lines = await rig.lines();
  const y = lines.findIndex((line) => line.includes("vCPU  ")), x = lines[y].search(/(?<![pv])CPU /);
  const shown = async () => (await rig.lines())[2];
  await rig.type(click(x, y));
  assert.match(await shown(), /by cpu =/);
  rig.time += 1000;
  await rig.type(click(x, y));
  assert.match(await shown(), /by cpu, reversed/);
  assert.match((await rig.lines())[y + 1], /debian\/0/, "the busiest first");
  rig.time += 1000;
  await rig.type(click(x, y));
  assert.doesNotMatch(await shown(), /by cpu/);
});

Deno.test("two clicks on a title zoom its pane, and two more take that back", async () => {
  const rig = new Rig();
  await rig.lines();
  const y = (await rig.lines()).findIndex((line) => line.includes("Console"));
  await rig.type(click(5, y) + click(5, y));
  assert.doesNotMatch(await rig.text(), /Virtual machines/);
  await rig.type(click(5, 2) + click(5, 2));
  assert.match(await rig.text(), /Virtual machines/);
});

Deno.test("the scrubber of the past marks snapshots and refusals; a click and a drag go to a time", async () => {
  const rig = new Rig(120, 36, { ascii: false }, "direct");
  rig.answer = (query) => {
    const answer = phoneAnswer(query);
    const snapshot = { id: "place:2", kind: "snapshot", t: "6000000000", insn: "5", name: null, text: null, by: null, file: "a.snap" };
    const mark = { id: "place:1", kind: "mark", t: "1000000000", insn: "1", name: "lost", text: "here", by: null, file: null };
    if (query.table === "why") return { ...answer, rows: answer.rows.map((row) => ({ ...row, t: "3000000000" })) };
    return query.table === "time.ls" ? { ...answer, error: undefined, rows: [mark, snapshot] } : answer;
  };
  await rig.lines();
  rig.apply({ kind: "paused", paused: true, past: true });
  const scrubber = async () => (await rig.lines())[33];
  const line = await scrubber();
  assert.match(line, /^ 0 s .*now 12\.481 306 s *$/);
  assert.match(line, /━▴━/, "the snapshot in the middle");
  assert.match(line, /!/, "a refusal");
  assert.match(line, /^ 0 s {2}━+▾━+!/, "a mark before it");
  const half = line.indexOf("▴");
  await rig.type(click(half, 33));
  const moves = () => rig.requests.flatMap((request) => request.kind === "move" ? [request.to] : []);
  const [move] = moves();
  assert.ok(move.kind === "time");
  assert.ok(Number.isInteger(move.at) && Math.abs(move.at - 6e9) < 2e8, `${move.at}`);
  // A drag goes where it ends, once.
  await rig.type(`\x1b[<0;${half + 1};34M\x1b[<32;${half - 9};30M`);
  assert.match(await scrubber(), /━◆─+▴/, "the mark follows");
  assert.equal(moves().length, 1);
  await rig.type(`\x1b[<0;${half - 9};30m`);
  assert.equal(moves().length, 2);
  await rig.type(click(half, 20));
  assert.equal(moves().length, 2);
});

Deno.test("a client that attaches while the past is shown reads how long ago that is", async () => {
  const rig = new Rig(120, 36, { ascii: false }, "direct");
  rig.answer = (query) => {
    const answer = phoneAnswer(query);
    const now = { id: "place:2", kind: "now", t: "20000000000", insn: "9", name: null, text: null, by: null, file: null };
    return query.table === "time.ls" ? { ...answer, error: undefined, rows: [now] } : answer;
  };
  rig.apply({ kind: "paused", paused: true, past: true });
  const lines = await rig.lines();
  assert.match(lines[0], /7\.518 694 s before now/);
  assert.match(lines[33], /◆─+ .*now 20\.000 000 s/);
});

Deno.test("two quick clicks on a heading sort twice, and open nothing", async () => {
  const rig = new Rig();
  await rig.keys("7");
  const lines = await rig.lines();
  const y = lines.findIndex((line) => line.includes("Message")), x = lines[y].indexOf("Message");
  await rig.type(click(x, y) + click(x, y));
  assert.match((await rig.lines())[2], /by \w+, reversed/);
  assert.doesNotMatch(await rig.text(), /from rpc:\d+ to/);
});

Deno.test("a click on the title of a list gives it the keys, and selects nothing", async () => {
  const rig = new Rig(80, 24);
  rig.answer = (query) => {
    const answer = phoneAnswer(query);
    const rows = Array.from({ length: 60 }, (_, index) => ({ ...answer.rows[0], id: `irq:debian/${index}` }));
    return query.table === "irq.ls" ? { ...answer, rows } : answer;
  };
  await rig.keys("3");
  await rig.keys("G");
  const selected = async () => (await rig.lines()).find((line) => line.startsWith(">"));
  const before = await selected();
  await rig.type(click(20, 2));
  assert.equal(await selected(), before);
});

Deno.test("a click on a hint does what its key does, and what its two keys do", async () => {
  const rig = new Rig();
  const at = async (text: string) => {
    const lines = await rig.lines(), y = lines.length - 2, x = lines[y].indexOf(text);
    assert.ok(x >= 0, lines[y]);
    return click(x, y);
  };
  await rig.type(await at("p pause"));
  assert.equal(rig.requests.filter(({ kind }) => kind === "pause").length, 1);
  await rig.type(await at("? help"));
  assert.match(await rig.text(), /here: Overview/);
  await rig.press("esc");
  await rig.type(await at("c console"));
  assert.match((await rig.lines()).at(-2)!, /ctrl-\] d stop typing/);
  await rig.type(await at("stop typing"));
  assert.match((await rig.lines()).at(-2)!, /p pause/);
  // Between hints, and right of the last, nothing happens.
  const before = rig.requests.filter(({ kind }) => kind !== "query").length;
  await rig.type(click(119, 34) + click(0, 34));
  assert.equal(rig.requests.filter(({ kind }) => kind !== "query").length, before);
});
