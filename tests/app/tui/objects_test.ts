// Actions on objects other than those that change the machine, and the views of lists and consoles.

import assert from "node:assert/strict";
import type { Query } from "../../../src/model/queries/query.ts";
import type { Move } from "../../../src/model/queries/move.ts";
import { textBytes } from "../../../src/app/tui/terminal/keys.ts";
import { phoneAnswer } from "./phone.ts";
import { Rig } from "./rig.ts";

const moves = (rig: Rig): Move[] => rig.requests.flatMap((request) => request.kind === "move" ? [request.to] : []);
/** The queries, as JSON has them. */
const asked = (rig: Rig): Query[] =>
  rig.requests.flatMap((request) => request.kind === "query" ? [JSON.parse(JSON.stringify(request.query)) as Query] : []);

/** A search has come to the start of the run. */
const NEVER = {
  ...{ id: "insn:0", t: "0", kind: "never", text: "never written since the start", vm: null, by: null, pc: null, symbol: null },
  ...{
    who: { code: "never", did: "written", since: "the start" },
    source: null,
    instruction: null,
    before: "00",
    after: "",
    stack: null,
    of: null,
  },
};

Deno.test("a on memory reads bytes, names the owner and checks the invariants, instead of the body", async () => {
  const rig = new Rig();
  await rig.type("4");
  await rig.lines();
  await rig.type("g");
  const before = asked(rig).length;
  await rig.type("ab");
  assert.match(await rig.text(), /= pa:0x40000000 {2}read its first bytes/);
  await rig.press("esc");
  await rig.type("ak");
  assert.match(await rig.text(), /= pa:0x40000000 {2}check the ownership invariants/);
  const wanted = asked(rig).slice(before).filter(({ table }) => table === "mem.read" || table === "mem.check");
  assert.deepEqual(wanted, [
    { table: "mem.read", args: { at: "pa:0x40000000", size: 256 } },
    { table: "mem.check", args: {} },
  ]);
  await rig.press("esc");
  assert.match(await rig.text(), /Physical memory =+ access {2}owner {2}state/);
});

Deno.test("W on memory shows its last writer as screen Why does; Enter goes to the place, o searches the one before", async () => {
  const write = {
    ...{ id: "insn:118234", t: "12000000", kind: "write", text: "vcpu:ping/0 at send+0x10", vm: "vm:ping", by: "vcpu:ping/0" },
    ...{
      who: { code: "instruction", vcpu: "vcpu:ping/0", place: "send+0x10" },
      pc: "0x80000abc",
      symbol: "send+0x10",
      source: "ping.c:42",
    },
    ...{ instruction: "strb w1, [x20]", before: "00", after: "2a", stack: ["send+0x10  ping.c:42", "main+0x30"], of: null },
  };
  const earlier = { ...write, id: "insn:90000/2", t: "9000000", before: "00", after: "00", stack: null };
  const rig = new Rig();
  const answers = [write, earlier, NEVER];
  rig.answer = (query) => query.table === "who" ? { ...phoneAnswer(query), rows: [answers.shift()!] } : phoneAnswer(query);
  await rig.type("4");
  await rig.lines();
  await rig.type("gW");
  const text = await rig.text();
  assert.match(text, /Written by vcpu:ping\/0 at send\+0x10: 00 > 2a\./);
  assert.match(text, /by P ping\/0 {2}send\+0x10 {2}at 0\.012 000 s {2}in ping\.c:42/);
  assert.match(text, /The chain [-=]+[^]*main\+0x30[^]*send\+0x10 {2}ping\.c:42[^]*strb w1, \[x20\]/, "the outermost frame first");
  assert.match(text, /as a command {2}el2 who pa:0x40000000/);
  assert.match(text, /Places of the run 1 of 1 [^]*>insn:118234 +0\.012 000 s/);
  await rig.type("o");
  assert.match(await rig.text(), /Places of the run 2 of 2 [^]*insn:118234 [^]*>insn:90000\/2 /);
  // A click selects a place.
  const lines = await rig.lines(), row = lines.findIndex((line) => line.includes("insn:118234 "));
  await rig.type(`\x1b[<0;5;${row + 1}M`);
  assert.match(await rig.text(), /Places of the run 1 of 2 [^]*>insn:118234 /);
  await rig.type("o");
  assert.match(await rig.text(), /Never written since the start\.[^]*Places of the run 3 of 3/);
  await rig.type("ok");
  assert.equal(answers.length, 0, "there is nothing before the start");
  await rig.press("enter");
  assert.deepEqual(moves(rig), [{ kind: "instructions", count: 90_000, order: 2 }]);
  assert.match(await rig.text(), /= Physical memory/);
  const wanted = { at: "pa:0x40000000", access: "write", limit: 1 };
  assert.deepEqual(asked(rig).filter(({ table }) => table === "who").map(({ args }) => args), [
    wanted,
    { ...wanted, before: { kind: "instructions", count: 118_234 } },
    { ...wanted, before: { kind: "instructions", count: 90_000, order: 2 } },
  ]);
  await rig.type("1");
  await rig.lines();
  await rig.type("gW");
  assert.match(await rig.text(), /has no history of writes or changes/);
});

Deno.test("a search says how much of the run it has searched; ctrl-c gives it up, and its answer does not take keys meant for something else", async () => {
  const rig = new Rig(), { answer } = rig;
  let open: number[] = [];
  rig.held = (query) => query.table === "who";
  await rig.type("4");
  await rig.lines();
  const search = async () => {
    await rig.type("gW");
    open = rig.requests.flatMap((request) => request.kind === "query" && request.query.table === "who" ? [request.id] : []);
  };
  await search();
  assert.match(await rig.text(), /searching back in time; ctrl-c cancels/);
  rig.apply({ kind: "searching", id: open.at(-1)!, done: 340, all: 1000 });
  assert.match(await rig.text(), /: 34 %; ctrl-c cancels/);
  await rig.press("ctrl-c");
  assert.match(await rig.text(), /canceled/);
  assert.deepEqual(rig.requests.filter(({ kind }) => kind === "forget").at(-1), { kind: "forget", id: open.at(-1) });
  rig.apply({ kind: "searching", id: open.at(-1)!, done: 350, all: 1000 });
  assert.doesNotMatch(await rig.text(), /35 %/);
  await search();
  await rig.type("1c");
  await rig.type("abc");
  rig.apply({ kind: "answer", id: open.at(-1)!, answer: { ...answer({ table: "who", args: {} }), rows: [NEVER] } });
  await rig.type("def");
  assert.equal(new TextDecoder().decode(new Uint8Array(rig.typed)), "abcdef");
  assert.match(await rig.text(), /the answer is there/);
});

Deno.test("a on a capability shows its object, who holds it, and what was refused", async () => {
  const rig = new Rig();
  await rig.type("5");
  await rig.lines();
  const shown: (string | undefined)[] = [];
  for (const key of ["g", "h", "r"]) {
    await rig.type(`a${key}`);
    assert.match(await rig.text(), /= cap:host\/0x0 {2}(graph|holders|refusals):/);
    shown.push(asked(rig).at(-1)?.args.filter);
    await rig.press("esc");
  }
  assert.deepEqual(shown, ["id=mq:0 | name=mq:0", "obj=mq:0", "err=yes"]);
});

Deno.test("a on an event, a request or a refusal goes back to then, whatever its number is when the run is gone through again", async () => {
  const rig = new Rig();
  for (const screen of ["9", "7", "0"]) {
    await rig.type(screen);
    await rig.lines();
    await rig.type("at");
  }
  const then = [
    "kind=rpc name=MEM_RECLAIM t=12481102000ns",
    "kind=rpc name=MEM_RECLAIM t=12481002000ns",
    "refused=yes t=12481102000ns",
  ];
  assert.deepEqual(moves(rig), then.flatMap((filter): Move[] => [{ kind: "now" }, { kind: "event", filter }]));
  const reader = new Rig(120, 36, { readOnly: true });
  await reader.type("9");
  await reader.lines();
  await reader.type("at");
  assert.match(await reader.text(), /go back to that time .*off: read-only/);
});

Deno.test("the palette has what can be done with the selected object; what cannot says why", async () => {
  const rig = new Rig();
  await rig.type(":vm.stop");
  assert.match(await rig.text(), />.vm\.stop vm:debian +! stop: ask it to shut down {3}asks/);
  await rig.type("\r");
  assert.match(await rig.text(), /Stop vm:debian\? /);
  await rig.type("n");
  assert.deepEqual(rig.acted, []);
  await rig.type("g:vm.stop\r");
  assert.match(await rig.text(), /vm\.stop vm:host: other VMs need vm:host/);
});

Deno.test("l shows columns further right, the first one stays; h goes back, and both say where they end", async () => {
  const rig = new Rig(80, 24);
  await rig.type("5");
  const heading = async () => (await rig.lines()).find((line) => line.startsWith("  Capability "))!;
  const before = await heading();
  assert.match(before, /Type/);
  assert.doesNotMatch(before, /Holders|Slot/);
  for (let i = 0; i < 5; i++) await rig.type("l"), await rig.lines();
  assert.match(await heading(), /^ {2}Capability +.*Held by/);
  assert.match(await rig.text(), /Capabilities.*\d columns left/);
  for (let i = 0; i < 20; i++) await rig.type("l"), await rig.lines();
  assert.match(await rig.text(), /this is the last column/);
  for (let i = 0; i < 30; i++) await rig.type("h"), await rig.lines();
  assert.match(await rig.text(), /this is the first column/);
  assert.equal(await heading(), before);
});

Deno.test("y copies what a console shows, or all of it; a line that continues in the next row is one line", async () => {
  const rig = new Rig(120, 36);
  rig.apply({ kind: "console", console: "debian", bytes: textBytes(`\r\n${"x".repeat(130)}\r\nlast line   \r\n`) });
  await rig.lines();
  await rig.press("tab");
  await rig.type("yy");
  const [visible] = rig.copied;
  assert.match(visible, new RegExp(`\n${"x".repeat(130)}\nlast line$`));
  rig.apply({ kind: "console", console: "debian", bytes: textBytes(Array.from({ length: 50 }, (_, i) => `row ${i}\r\n`).join("")) });
  await rig.lines();
  await rig.type("yy");
  await rig.type("ya");
  assert.doesNotMatch(rig.copied[1], /EXT4-fs/);
  assert.match(rig.copied[2], /EXT4-fs[\s\S]*last line[\s\S]*row 49$/);
});

Deno.test("a replay says so, and that it takes no input", async () => {
  const rig = new Rig(120, 36, { replay: true });
  assert.match((await rig.lines())[0], /phone {3}> REPLAY/);
  await rig.type("cx");
  assert.match(await rig.text(), /a replay takes no input/);
  assert.deepEqual(rig.typed, []);
});

Deno.test("ctrl-c ends a way to another place of the run; if nothing is pending it says so", async () => {
  const rig = new Rig();
  await rig.press("ctrl-c");
  assert.match(await rig.text(), /nothing to cancel/);
  await rig.type("tb\r");
  await rig.press("ctrl-c");
  assert.deepEqual(moves(rig).map(({ kind }) => kind), ["event", "here"]);
  rig.apply({ kind: "moved", id: 0, error: undefined, instructions: 5 });
  rig.apply({ kind: "moved", id: 0, error: { what: "stopped before it got there" }, instructions: 5 });
  assert.match(await rig.text(), /stopped before it got there/);
  await rig.press("ctrl-c");
  assert.equal(moves(rig).length, 2);
});

Deno.test("v on the queues: what the messages of the Resource Manager's queues say, field by field; those of others are bytes", async () => {
  const rig = new Rig(120, 36);
  await rig.keys("6v");
  assert.match(await rig.text(), /- RM RPC[\s\S]*neither end is the Resource Manager: v shows bytes/);
  await rig.keys("j");
  const lines = await rig.inside();
  const at = lines.findIndex((line) => line.startsWith("+- RM RPC"));
  const left = lines.slice(at + 1, at + 5).map((line) => line.split("||")[0].trimEnd());
  assert.deepEqual(left, [" mq:1/0  request MEM_RECLAIM 0x1f", "     handle 18", "     flags 0", ""]);
  await rig.keys("j");
  assert.match(await rig.text(), /- RM RPC[\s\S]*a doorbell has flags, no messages/);
  await rig.keys("kv");
  assert.match(await rig.text(), /- mq:1 -+ every field/);
  await rig.keys("v");
  assert.match(await rig.text(), /- Messages[\s\S]*21 01 1f 00 15 00 00 51/);
});
