// Y, and screens that open with a link.

import assert from "node:assert/strict";
import { Rig } from "../../rig.ts";
import { resolve } from "node:path";

Deno.test("Y copies a link to the place, the screen, the row and the filter; a run in no file says how to save it", async () => {
  const rig = new Rig(120, 36, { recording: resolve("runs/bug.rec") }), { answer } = rig;
  const row = (kind: string, insn: string) => ({ id: `place:${insn}`, kind, t: "1", insn, file: null, name: null, text: null, by: null });
  const rows = [row("shown", "120000"), row("now", "130000")];
  rig.answer = (query) => query.table === "time.ls" ? { ...answer(query), table: "time.ls", rows } : answer(query);
  await rig.keys("7");
  await rig.type("/MEM_");
  await rig.press("enter");
  await rig.lines();
  await rig.type("jY");
  const [link] = rig.copied, at = /^runs\/bug\.rec#to=120000&screen=rpc&select=(rpc:\d+)&filter=MEM_$/.exec(link);
  assert.ok(at, link);
  assert.ok((await rig.text()).includes(`copied: el2 replay '${link}' --tui`));

  const opened = new Rig(120, 36, { linked: { screen: "rpc", select: at[1], filter: "MEM_" } });
  const lines = await opened.lines();
  assert.equal(opened.shown, "7");
  assert.ok(lines.some((line) => line.includes("/MEM_")), lines.join("\n"));
  assert.equal(await opened.type("i").then(() => opened.text()).then((text) => text.includes(at[1])), true);

  await rig.type(":link other.rec --to 12ms --select vm:debian\r");
  assert.equal(rig.copied[1], "other.rec#to=12000000ns&select=vm:debian");

  const live = new Rig();
  await live.type("Y");
  assert.deepEqual(live.copied, []);
  assert.match(await live.text(), /this run is not in a recording; el2 record bug\.rec saves it/);
});

Deno.test("a link without a filter shows all rows of its screen, also where another one has filtered them", async () => {
  const rig = new Rig(120, 36, { recording: resolve("runs/bug.rec") });
  rig.app.follow("screen=rpc&filter=no-such-call");
  assert.match(await rig.text(), /\/no-such-call/);
  rig.app.follow("to=120000&screen=rpc");
  assert.doesNotMatch(await rig.text(), /\/no-such-call/);
  // A link to a place alone changes nothing else.
  rig.app.follow("screen=rpc&filter=no-such-call");
  rig.app.follow("to=120000");
  assert.match(await rig.text(), /\/no-such-call/);
});

Deno.test("a link's filter that its screen does not know is said, and an id alone finds its screen", async () => {
  const rig = new Rig(120, 36, { linked: { screen: "irq", filter: "msg=VM_START" } });
  assert.match(await rig.text(), /\/msg=VM_START: no field "msg"/);
  const jumped = new Rig(120, 36, { linked: { select: "mq:289" } });
  await jumped.lines();
  assert.equal(jumped.shown, "6");
});

Deno.test("a link that is followed later travels, and shows its screen; a wrong one is said and moves nothing", async () => {
  const rig = new Rig(120, 36, { recording: resolve("runs/bug.rec") });
  rig.app.follow("to=100000&screen=mem");
  assert.equal(rig.shown, "4");
  const moves = () => rig.requests.flatMap((request) => request.kind === "move" ? [request.to] : []);
  const once = [{ kind: "instructions", count: 100_000 }];
  assert.deepEqual(moves(), once);
  const said = { "to=-5": /"-5"/, "screen=attic": /attic/, to: /"to" is not NAME=VALUE/, "to=%": /wrong percent sign/ };
  for (const [wrong, words] of Object.entries(said)) {
    rig.app.follow(wrong);
    assert.match(await rig.text(), words);
  }
  assert.deepEqual(moves(), once);
  assert.equal(rig.shown, "4");
});
