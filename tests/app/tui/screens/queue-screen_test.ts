import assert from "node:assert/strict";
import { roleOf } from "../../../../src/app/tui/terminal/color.ts";
import type { Query } from "../../../../src/model/queries/query.ts";
import { phoneAnswer, phoneRows } from "../phone.ts";
import { Rig } from "../rig.ts";

Deno.test("queues: arrows for messages and doorbells, the depth as squares, rates with histories", async () => {
  const rig = new Rig(120, 36, { ascii: false }, "direct");
  await rig.type("6");
  const text = await rig.text();
  assert.match(text, /mq:7 +D debian +─▸ {2}T rt +■■■□□□□□ 3 of 8 +240 +12 +▇ +912 +909/);
  assert.match(text, /mq:1 +H host +─▸ {2}R rm +■□□□□□□□ 1 of 8/);
  assert.match(text, /db:3 +T rt +╌▸ {2}D debian +● flags 0x1/);
  const ascii = new Rig(80, 24);
  await ascii.type("6");
  assert.match(await ascii.text(), /mq:7 +D debian +-> {2}T rt +###\.\.\.\.\. 3 of 8 +12\n.*mq:1 .*\n.*db:3 +T rt +=> {2}D debian/);
});

Deno.test("a full queue is marked, and its sender waits for room", async () => {
  const rig = new Rig(120, 36, {}, "direct");
  rig.answer = (query) => {
    const answer = phoneAnswer(query);
    return { ...answer, rows: answer.rows.map((row) => row.id === "mq:7" ? { ...row, count: 8, full: true } : row) };
  };
  await rig.type("6");
  const lines = await rig.lines();
  assert.match(lines.join("\n"), /full: debian waits for room/);
  const at = lines.findIndex((line) => /mq:7 .* 8 of 8/.test(line));
  assert.equal(roleOf(rig.screen.cells(at)[lines[at].indexOf("########")].foreground), "warn");
});

Deno.test("the flow names both capabilities and interrupts, and a receiver that gets no interrupt", async () => {
  const rig = new Rig(120, 36);
  const caps = (query: Query) => {
    const [cap] = phoneRows("caps.ls");
    const held = (vm: string, right: string) => ({ ...cap, id: `cap:${vm}/0x5`, vm: `vm:${vm}`, obj: "mq:7", rights: [right] });
    return { ...phoneAnswer({ ...query, args: {} }), rows: [held("debian", "Send"), held("rt", "Receive")] };
  };
  const irq = { ...phoneRows("irq.ls")[0], id: "irq:rt/961", en: false, pend: true, act: false, finding: null };
  rig.answer = (query) => {
    if (query.table === "caps.ls" && query.args.filter === "obj=mq:7") return caps(query);
    return query.table === "irq.ls" ? { ...phoneAnswer({ ...query, args: {} }), rows: [irq] } : phoneAnswer(query);
  };
  await rig.type("6");
  const text = await rig.text();
  assert.match(text, /Flow mq:7 -+ depth 8, 240 bytes per message/);
  assert.match(text, /cap:debian\/0x5 Send +cap:rt\/0x5 Receive/);
  assert.match(text, /D debian +msgqueue_send ---> +###\.\.\.\.\. 3 of 8 +---> msgqueue_receive +T rt/);
  assert.match(text, /irq:debian\/960 wakes it when 7 are left +irq:rt\/961 wakes it when 1 waits/);
  assert.match(
    text,
    /Receiver T rt[^]*T rt\/0 {2}\. waits {2}timer irq 27[^]*irq:rt\/961 disabled, pending[^]*! rt gets no interrupt for its messages/,
  );
});

Deno.test("the screen of queues says that there are none, and which error occurred", async () => {
  for (
    const [error, expected] of [[undefined, /No message queue and no doorbell/], [
      "the machine has ended",
      /the machine has ended/,
    ]] as const
  ) {
    const rig = new Rig(120, 36);
    rig.answer = (query) => ({ ...phoneAnswer(query), rows: [], error });
    await rig.type("6");
    assert.match(await rig.text(), expected);
    assert.match(await rig.text(), /Flow[^]*Nothing is selected/);
  }
});

Deno.test("beside a wide list, too, the flow shows calls, capabilities and interrupts whole", async () => {
  const rig = new Rig(200, 60);
  rig.answer = (query) => {
    if (query.table !== "caps.ls") return phoneAnswer(query);
    const [cap] = phoneRows("caps.ls");
    const held = (vm: string, right: string) => ({ ...cap, id: `cap:${vm}/0x5`, vm: `vm:${vm}`, obj: "mq:7", rights: [right] });
    return { ...phoneAnswer({ ...query, args: {} }), rows: [held("debian", "Send"), held("rt", "Receive")] };
  };
  await rig.type("6");
  const text = await rig.text();
  assert.match(text, /cap:debian\/0x5 Send {5,}cap:rt\/0x5 Receive/);
  assert.match(text, /D debian +msgqueue_send -+> +###\.+ 3 of 8 +-+> msgqueue_receive +T rt/);
  assert.match(text, /irq:debian\/\d+ at \d+ left +irq:rt\/\d+ at \d+ waiting/);
});
