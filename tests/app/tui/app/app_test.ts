import assert from "node:assert/strict";
import { textBytes } from "../../../../src/app/tui/terminal/keys.ts";
import { LONGEST_PASTE } from "../../../../src/app/tui/terminal/pasted-text.ts";
import { noAnswer } from "../../../../src/model/queries/query.ts";
import { Terminal } from "../../../../src/app/tui/terminal/xterm.ts";
import { PHONE_SAMPLE, phoneAnswer } from "../phone.ts";
import { press, Rig, SCREENS, settle } from "../rig.ts";
import { STATES } from "../states.ts";

/** Content of a terminal of the screen's size after a redraw. */
async function terminalOf(rig: Rig) {
  const { width: cols, height: rows } = rig.screen;
  const terminal = new Terminal({ cols, rows, scrollback: 10, allowProposedApi: true, convertEol: false });
  rig.screen.invalidate();
  await new Promise<void>((resolve) => terminal.write(rig.frame(), resolve));
  return terminal.buffer.active;
}

Deno.test("W4: at 80x24 no line wraps on any screen, and hint and message rows exist", async () => {
  const rig = new Rig(80, 24);
  for (const key of SCREENS) {
    await rig.type(key);
    const lines = await rig.lines();
    assert.ok(lines.every((line) => line.length <= 80), key);
    assert.match(lines[22], /Enter open .* \? help$/);
    // In a terminal of that size, the content equals the drawing: no line has wrapped, nor has
    // anything scrolled.
    const active = await terminalOf(rig);
    assert.equal(active.length, 24, key);
    for (const [y, line] of lines.entries()) {
      assert.equal(active.getLine(y)!.isWrapped, false, `${key}: ${line}`);
      assert.equal(active.getLine(y)!.translateToString(true).trimEnd(), line.trimEnd(), key);
    }
  }
  await rig.type("X");
  assert.match((await rig.lines())[23], /X has no action here/, "the message row");
});

Deno.test("W5: at 59x15 one line asks for room, and growing restores it", async () => {
  const rig = new Rig();
  const shown = await rig.lines(59, 15);
  assert.match(shown[0], /needs 60x16/);
  assert.ok(shown.slice(1).every((line) => line === ""));
  assert.match((await rig.lines(80, 24)).join("\n"), /Virtual machines/);
});

Deno.test("W41, W42: a storm is flagged with its source, an interrupt that cannot fire says why", async () => {
  const rig = new Rig();
  await rig.type("3");
  const shown = await rig.text();
  assert.match(shown, /!D debian\/27 .*vtimer.*48 211!/);
  assert.match(shown, /H host\/961 cannot fire: disabled \(ISENABLER30 bit 1\)/);
});

Deno.test("W51: p stops virtual time, panes keep working", async () => {
  const rig = new Rig();
  await rig.type("p");
  assert.ok(rig.requests.some(({ kind }) => kind === "pause"));
  rig.apply({ kind: "paused", paused: true });
  assert.match((await rig.lines())[0], /PAUSED/);
  await rig.type("2");
  assert.match(await rig.text(), /D debian\/1/);
  await rig.type("p");
  assert.ok(rig.requests.some(({ kind }) => kind === "resume"));
});

Deno.test("W53: the past refuses what is typed into a console, and says why", async () => {
  const rig = new Rig();
  await rig.type("c");
  rig.apply({ kind: "paused", paused: true, past: true });
  await rig.type("x");
  assert.deepEqual(rig.typed, []);
  assert.match(
    await rig.text(),
    /PAST[^]*You are viewing the past, which takes no input; press ctrl-\] d, then t n to return to the present/,
  );
  rig.apply({ kind: "paused", paused: true });
  await rig.type("y");
  assert.deepEqual(rig.typed, [...textBytes("y")]);
});

Deno.test("W54: Space freezes the display only and counts", async () => {
  const rig = new Rig();
  await rig.lines();
  rig.frame();
  await rig.type(" ");
  rig.apply({ kind: "console", console: "debian", bytes: textBytes("not shown yet") });
  const frozen = await rig.text();
  rig.frame();
  assert.match(frozen, /FROZEN \+1/);
  assert.doesNotMatch(frozen, /not shown yet/);
  assert.match(frozen, /debian login:/);
  rig.apply({ kind: "console", console: "debian", bytes: textBytes("more") });
  assert.match(await rig.text(), /FROZEN \+2/);
  // The machine continues: its only messages are that bytes were taken.
  const sent = rig.requests.map(({ kind }) => kind).filter((kind) => !["query", "forget", "watch", "taken"].includes(kind));
  assert.deepEqual(sent, []);
  await rig.type(" ");
  assert.match(await rig.text(), /not shown yetmore/);
});

Deno.test("W62: with --read-only each changing key is refused, and says so", async () => {
  const rig = new Rig(120, 36, { readOnly: true });
  await rig.type("gjjj");
  for (const [keys, says] of [["c", /read-only: cannot type/], ["p", /read-only: cannot pause/], ["!s", /off: read-only/]] as const) {
    await rig.type(keys);
    assert.match(await rig.text(), says, keys);
    await rig.press("esc");
  }
  // Every action of every menu of any selected row on any screen, each confirmed with yes.
  for (const screen of SCREENS) {
    await rig.type(screen);
    await rig.lines();
    for (const menu of ["a", "!", "t"]) {
      for (const key of "abcdefghijklmnopqrstuvwxyz") {
        await press(rig, "G", menu, key, "y", "\x1d", "d", "\x1b", "\x1b", screen);
      }
    }
  }
  assert.deepEqual(rig.acted, []);
  assert.match((await rig.lines())[0], /READ-ONLY/);
  assert.ok(!rig.requests.some(({ kind }) => kind !== "query" && kind !== "forget" && kind !== "watch" && kind !== "taken"));
});

Deno.test("W72: when nothing changes, nothing is written", async () => {
  const rig = new Rig();
  for (const key of SCREENS) {
    await rig.type(key);
    for (let filled = 0; filled < 5; filled++) {
      await rig.lines();
      rig.frame();
      rig.sample();
    }
    await rig.lines();
    assert.equal(rig.frame(), "", `screen ${key}`);
  }
});

Deno.test("W73: a typical frame is one write of at most 2 KB inside synchronized-update marks", async () => {
  const rig = new Rig();
  await rig.lines();
  rig.frame();
  await rig.type("j");
  await rig.lines();
  const frame = rig.frame();
  assert.ok(frame.startsWith("\x1b[?2026h") && frame.endsWith("\x1b[?2026l"));
  assert.ok(frame.length <= 2048, `${frame.length} bytes`);
  // A second of a machine that is busy: every sample has other figures, and the console has a line
  // more.
  for (let tick = 1; tick <= 30; tick++) {
    // Figures change at most twice per second.
    rig.time += 500;
    const vms = PHONE_SAMPLE.vms.map((vm) => ({
      ...vm,
      vcpus: vm.vcpus.map((vcpu) => ({
        ...vcpu,
        load: (vcpu.load + tick / 30) % 1,
        pc: vcpu.pc && `0xffff8000800${String(10000 + tick * 37)}`,
        instructions: vcpu.instructions + tick * 7_000_000,
      })),
    }));
    rig.apply({ kind: "sample", sample: { ...PHONE_SAMPLE, time: PHONE_SAMPLE.time + tick * 33e6, mips: 200 + tick, vms } });
    rig.apply({
      kind: "console",
      console: "debian",
      bytes: textBytes(`[    ${tick}.940418] something has come to pass, number ${tick}\r\n`),
    });
    await settle();
    const busy = rig.frame();
    assert.ok(busy.startsWith("\x1b[?2026h") && busy.endsWith("\x1b[?2026l"));
    assert.ok(busy.length <= 2048, `${busy.length} bytes at ${tick}`);
    assert.ok(busy.length > 100, "something has changed");
  }
});

Deno.test("W80: with ascii no byte over 0x7e outside guest text, on any screen", async () => {
  for (const key of SCREENS) {
    const rig = new Rig();
    await rig.type(key);
    await rig.lines();
    // deno-lint-ignore no-control-regex
    assert.match(rig.frame(), /^[\x1b\x20-\x7e]*$/, key);
  }
  for (const [name, begin] of STATES) {
    const rig = new Rig();
    await rig.lines();
    await begin(rig);
    await rig.lines();
    rig.screen.invalidate();
    // deno-lint-ignore no-control-regex
    assert.match(rig.frame(), /^[\x1b\x20-\x7e]*$/, name);
  }
});

Deno.test("W82: every mark shows without color", async () => {
  const rig = new Rig(120, 36, {}, "none");
  await rig.type("4");
  const memory = await rig.text();
  assert.match(memory, /[^!]root heap .* 90 %!/, "over a threshold: behind the value");
  assert.doesNotMatch(memory, /D capabilities [^|]*!/);
  assert.match(memory, /^\|.!parcel:0x12 .* blocked /m, "refused");
  await rig.type("2");
  const before = await rig.inside();
  assert.ok(before.some((line) => /^> D debian\/0 +\S runs /.test(line)), "selected, and the word of who runs");
  assert.ok(
    before.some((line) => /^ {2}T rt\/0 +\. waits .* timer irq 27 /.test(line)),
    "the word of who waits, and what can be jumped to",
  );
  assert.ok(!before.some((line) => /^.. [A-Z] \S+ +\*/.test(line)));
  // Changed within a second: another state of a vCPU.
  rig.answer = (query) => {
    const answer = phoneAnswer(query);
    return { ...answer, rows: answer.rows.map((row) => row.id === "vcpu:debian/0" ? { ...row, state: "wfi" } : row) };
  };
  rig.sample();
  await settle();
  assert.ok((await rig.inside()).some((line) => /^> D debian\/0 +\*\. waits /.test(line)), "changed");
  // The mark goes, also if the machine is paused now and nothing else asks for a frame.
  rig.apply({ kind: "paused", paused: true, past: false, consoles: [] });
  await settle();
  const [stays, ...others] = rig.later;
  assert.ok(stays > 0 && stays <= 1000 && !others.length, `frames are asked for in ${rig.later} ms`);
  await new Promise((resolve) => setTimeout(resolve, stays));
  assert.ok((await rig.inside()).some((line) => /^> D debian\/0 {2,}\. waits /.test(line)), "no longer marked");
  assert.deepEqual(rig.later, [stays], "nothing is asked for without a mark");
  rig.apply({ kind: "paused", paused: false, past: false, consoles: [] });
  await rig.type("3");
  const lines = await rig.inside();
  assert.ok(lines.some((line) => /^>!D debian\/27 .* 48 211!/.test(line)));
  assert.ok(lines.some((line) => /^\+= Interrupts \d+ =/.test(line)));
  assert.doesNotMatch(rig.frame(), /\x1b\[[0-9;]*(3[0-7]|9[0-7])[0-9;]*m/);
});

Deno.test("W84: events that were lost count in row 1, at every width", async () => {
  for (const [width, height] of [[80, 24], [120, 36], [200, 60]]) {
    const rig = new Rig(width, height);
    assert.doesNotMatch((await rig.lines())[0], /lost/);
    rig.apply({ kind: "events", events: [], dropped: 17 });
    rig.apply({ kind: "events", events: [], dropped: 25 });
    assert.match((await rig.lines())[0], / 42 lost/);
  }
});

Deno.test("W83: when the session is gone: LOST, since when, what to do, the last frame dim", async () => {
  const rig = new Rig();
  await rig.lines();
  rig.frame();
  rig.app.lost("session phone: its socket is gone");
  const shown = await rig.text();
  assert.match(
    shown,
    /LOST[\s\S]*connection lost 0 s ago; the machine may still run[\s\S]*retry 1 in 3 s[\s\S]*r retry now {2}l log {2}s open last snapshot {2}q quit \(exit 3\)/,
  );
  // The last content is dim, all of it: no cell of the body has another look.
  const terminal = await terminalOf(rig);
  const tree = shown.split("\n").findIndex((line) => /D {2}debian v/.test(line));
  const cells = Array.from({ length: 120 }, (_, x) => terminal.getLine(tree)!.getCell(x)!);
  assert.ok(cells.filter((cell) => cell.getChars().trim() !== "").every((cell) => cell.isDim()), shown.split("\n")[tree]);
  await rig.type("l");
  assert.match(await rig.text(), /this session has no log/);
  rig.time += 4500;
  assert.match(await rig.text(), /connection lost 4 s ago[\s\S]*retry 2 in 2 s/);
  await rig.type("r");
  assert.equal(rig.reconnects, 1);
  rig.app.found();
  assert.match(await rig.text(), /connected again/);
  rig.app.lost("again");
  await rig.type("q");
  assert.equal(rig.left, true);
  const attached = new Rig(120, 36, { log: "/run/el2/phone.log" });
  attached.app.lost("again");
  await attached.type("l");
  assert.match(await attached.text(), /its log: \/run\/el2\/phone\.log/);
});

Deno.test("what is paused or past has no speed", async () => {
  const rig = new Rig(120, 36);
  const sampleAt = (time: number) => {
    rig.time += 200;
    rig.apply({ kind: "sample", sample: { ...PHONE_SAMPLE, time } });
  };
  sampleAt(13e9);
  assert.match((await rig.lines())[0], / x\d/);
  rig.apply({ kind: "paused", paused: true, past: true });
  sampleAt(2e9);
  assert.doesNotMatch((await rig.lines())[0], / x-?\d/);
});

Deno.test("W75: with 100,000 events and 5,000 rows a key is answered within 50 ms", async () => {
  const rig = new Rig(160, 48);
  const events = phoneAnswer({ table: "events", args: {} }).rows;
  const parcels = phoneAnswer({ table: "mem.parcels", args: {} }).rows;
  const many = Array.from({ length: 5000 }, (_, index) => ({ ...parcels[1], id: `parcel:0x${index.toString(16)}` }));
  const all = Array.from({ length: 100_000 }, (_, index) => ({ ...events[index % 3], id: `ev:${index}` }));
  rig.answer = (query) => ({
    ...phoneAnswer({ table: query.table, args: {} }),
    rows: query.table === "events"
      ? all.slice(-(query.args.limit ?? 1000))
      : query.table === "mem.parcels"
      ? many
      : phoneAnswer(query).rows,
  });
  const times: number[] = [];
  for (const screen of ["9", "4"]) {
    await rig.type(screen);
    await rig.lines();
    if (screen === "4") await rig.press("tab", "tab");
    for (let i = 0; i < 100; i++) {
      const start = performance.now();
      rig.app.key({ name: i % 2 ? "j" : "k", bytes: textBytes(i % 2 ? "j" : "k") });
      rig.frame();
      times.push(performance.now() - start);
      if (i % 10 === 0) {
        rig.sample();
        await settle();
      }
    }
  }
  times.sort((a, b) => a - b);
  // The median: a busy machine may take the processor away from any one key. `deno task bench tui`
  // prints p99.
  const median = times[times.length >> 1];
  assert.ok(median <= 50, `median ${median} ms`);
});

Deno.test("a frozen display keeps what it shows under menus, and draws itself anew in another size", async () => {
  const rig = new Rig();
  await rig.lines();
  rig.frame();
  await rig.type(" ");
  const frozen = (await rig.lines()).slice(2, -2);
  rig.frame();
  await rig.type("gjjja");
  assert.match(await rig.text(), /type into its console/);
  rig.frame();
  await rig.press("esc");
  const after = (await rig.lines()).slice(2, -2);
  assert.deepEqual(after, frozen);
  assert.match((await rig.lines(80, 24)).join("\n"), /FROZEN[^]*Virtual machines[^]*debian login:/);
});

Deno.test("when the machine ends, the panes show how it was then, whatever was not answered on the way", async () => {
  const rig = new Rig();
  rig.answer = () => noAnswer("the machine has ended: crashed: rt");
  rig.sample();
  rig.time += 1000;
  rig.sample();
  assert.match(await rig.text(), /the machine has ended: +\|\n.*\| +crashed: rt +\|\n/);
  assert.match((await rig.lines())[0], / \d of 4 VMs run /);
  rig.answer = phoneAnswer;
  rig.apply({ kind: "ended", end: { code: 1, message: "crashed: rt" } });
  const text = await rig.text();
  assert.match(text, /! 12\.481102 H MEM_R\S* > MEM_IN/);
  assert.match(text, /mq:7 debian -> rt \[###\.\.\.\.\.\] 3\/8/);
  assert.match((await rig.lines())[0], / # ENDED .* 4 VMs {3}/, "none runs any more");
});

Deno.test("a paste that is too long is refused in words, on lists, in prompts and in consoles", async () => {
  const paste = `\x1b[200~${"q".repeat(LONGEST_PASTE + 1)}\x1b[201~`;
  for (const place of ["", "2/", "c"]) {
    const rig = new Rig();
    await rig.lines();
    if (place) await rig.type(place);
    const input = rig.requests.filter(({ kind }) => kind === "input").length;
    await rig.type(paste);
    assert.equal(rig.left, false);
    assert.equal(rig.requests.filter(({ kind }) => kind === "input").length, input);
    assert.match(await rig.text(), /pasted text of 1025 KiB was refused: the limit is 1024 KiB/);
  }
});
