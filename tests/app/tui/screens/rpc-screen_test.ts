import assert from "node:assert/strict";
import { roleOf } from "../../../../src/app/tui/terminal/color.ts";
import type { Query } from "../../../../src/model/queries/query.ts";
import { phoneAnswer, phoneRows } from "../phone.ts";
import { Rig } from "../rig.ts";

/** The requests of the session, and a notification. */
function withNotification(query: Query) {
  const answer = phoneAnswer(query);
  if (query.table !== "rpc.ls") return answer;
  const [first] = phoneRows("rpc.ls");
  const note = { ...first, id: "rpc:215", msg: "VM_STATUS", about: "vm:rt", seq: null, res: "running", request: { to: 0x81, vm_state: 3 } };
  return { ...answer, rows: [...answer.rows, note] };
}

Deno.test("requests go from the VM to rm and on as calls to the hypervisor, notifications come back with their state; × is where one ended", async () => {
  const rig = new Rig(120, 36, { ascii: false }, "direct");
  rig.answer = withNotification;
  await rig.type("7");
  const lines = await rig.lines();
  const text = lines.join("\n");
  assert.match(text, /From +rm +hypervisor/);
  assert.match(text, /rpc:213 +12\.480900 +MEM_SHARE +parcel:0x12 +ok +H host +│─+▸│─+ 4 calls ─*▸│/);
  assert.match(text, /!rpc:214 +12\.481002 +MEM_RECLAIM +parcel:0x12 +MEM_INUSE +H host +│─+▸│ × refused/);
  assert.match(text, /rpc:215 .* running +H host +│←─ running [─ ]*│ +│/);
  const row = lines.findIndex((line) => /rpc:214/.test(line)), arrow = lines[row].indexOf("×");
  assert.equal(roleOf(rig.screen.cells(row)[arrow].foreground), "bad");
  assert.equal(roleOf(rig.screen.cells(row - 1)[arrow].foreground), "hyp");
  const wide = new Rig(200, 60, { ascii: false }, "direct");
  await wide.type("7");
  assert.match(await wide.text(), /▸│ × refused, no call/);
});

Deno.test("a request whose call the hypervisor refused ends there", async () => {
  const rig = new Rig(160, 48, { ascii: false }, "direct");
  rig.answer = (query) => {
    const answer = phoneAnswer(query);
    if (query.table !== "rpc.ls") return answer;
    return { ...answer, rows: answer.rows.map((row) => row.refused ? { ...row, calls: 3, refused_by: "hypervisor" } : row) };
  };
  await rig.type("7");
  assert.match(await rig.text(), /!rpc:214.* H host +│─+▸│─+ 3 calls ─*×│/);
});

Deno.test("the bytes of request and reply have one ink a field, two blanks between fields, and the fields' values below", async () => {
  const rig = new Rig(120, 36, { ascii: false }, "direct");
  await rig.type("7");
  const lines = await rig.lines();
  const text = lines.join("\n");
  assert.match(text, /Bytes rpc:214 .* MEM_RECLAIM seq 0x1f/);
  assert.match(text, /request +21 01 {2}1f 00 {2}15 00 00 51 {2}12 00 00 00 {2}00 {2}00 00 00 /);
  assert.match(text, /reply +21 02 {2}1f 00 {2}15 00 00 51 {2}0b 00 00 00 /);
  assert.match(
    text,
    /■ header +version 1, request.*\n.*■ seq +0x001f.*\n.*■ message +0x51000015 MEM_RECLAIM.*\n.*■ handle +18.*\n.*■ flags +0/,
  );
  assert.match(text, /■ error +0x0b MEM_INUSE/);
  const inkAt = (row: number, column: number) => roleOf(rig.screen.cells(row)[column].foreground);
  const bytes = lines.findIndex((line) => /request +21 01/.test(line)), legend = lines.findIndex((line) => /■ handle/.test(line));
  assert.equal(inkAt(bytes, lines[bytes].indexOf("12 00 00 00")), inkAt(legend, lines[legend].indexOf("■")));
  assert.equal(inkAt(bytes, lines[bytes].indexOf("00 00 00  ", lines[bytes].indexOf("12 00") + 12)), "faint");
});

Deno.test("beside the bytes is the answer: result, what drivers return, the time, the reason; at 80 columns above the fields", async () => {
  const rig = new Rig(120, 36);
  await rig.type("7");
  assert.match(
    await rig.text(),
    /Answer 0x0b MEM_INUSE -[^]*result +0x0b MEM_INUSE[^]*driver +returns EINVAL[^]*took +0\.1 ms[^]*why +why:37/,
  );
  await rig.type("\tv");
  assert.match(await rig.text(), /Request rpc:214 =+ MEM_RECLAIM seq 0x1f [-=]\+\+- Answer[^]*handle +18 +\|\| result[^]*flags +0/);
  const narrow = new Rig(80, 24);
  await narrow.type("7");
  assert.match(await narrow.text(), /Request rpc:214[^]*result +0x0b MEM_INUSE[^]*why +why:37[^]*handle +18/);
  rig.answer = withNotification;
  rig.time += 1000;
  rig.sample();
  assert.match(await rig.text(), /Notification rpc:215[^]*to +0x81 [^]*A notification has no answer/);
});

Deno.test("the screen of requests says that there are none, and which error occurred", async () => {
  for (const [error, expected] of [[undefined, /No request recorded yet/], ["the machine has ended", /the machine has ended/]] as const) {
    const rig = new Rig(120, 36);
    rig.answer = (query) => ({ ...phoneAnswer(query), rows: [], error });
    await rig.type("7");
    assert.match(await rig.text(), expected);
    assert.match(await rig.text(), /No request is selected/);
  }
});
