import assert from "node:assert/strict";
import { roleOf } from "../../src/tui/color.ts";
import type { Query } from "../../src/queries/query.ts";
import { phoneAnswer, phoneRows } from "./phone.ts";
import { Rig } from "./rig.ts";

/** The requests of the session, and a notification. */
function withNotification(query: Query) {
  const answer = phoneAnswer(query);
  if (query.table !== "rpc.ls") return answer;
  const [first] = phoneRows("rpc.ls");
  const note = { ...first, id: "rpc:215", msg: "VM_STATUS", about: "vm:rt", seq: null, res: "running", request: { to: 3, vm_state: 3 } };
  return { ...answer, rows: [...answer.rows, note] };
}

Deno.test("requests go from the VM to rm, notifications come back with their state; what was refused ends in ×", async () => {
  const rig = new Rig(120, 36, { ascii: false }, "direct");
  rig.answer = withNotification;
  await rig.type("7");
  const lines = await rig.lines();
  const text = lines.join("\n");
  assert.match(text, /rpc:213 +12\.480900 +MEM_SHARE +parcel:0x12 +ok +H host {4}│─{13}▸│ R rm/);
  assert.match(text, /!rpc:214 +12\.481002 +MEM_RECLAIM +parcel:0x12 +MEM_INUSE +H host {4}│─{13}×│ R rm/);
  assert.match(text, /rpc:215 .* running +H host {4}│←─ running ─+│ R rm/);
  const row = lines.findIndex((line) => /rpc:214/.test(line)), arrow = lines[row].indexOf("──×");
  assert.equal(roleOf(rig.screen.cells(row)[arrow].foreground), "bad");
  assert.equal(roleOf(rig.screen.cells(row - 1)[arrow].foreground), "accent");
});

Deno.test("beside the request stands the answer: result, what drivers return, the time, the reason; at 80 columns above it", async () => {
  const rig = new Rig(120, 36);
  await rig.type("7");
  const text = await rig.text();
  assert.match(text, /Request rpc:214 -+ MEM_RECLAIM seq 0x1f -\+\+- Answer 0x0b MEM_INUSE -/);
  assert.match(
    text,
    /handle +18 +\|\| result +0x0b MEM_INUSE.*\n.*flags +0 +\|\| driver +returns EINVAL.*\n.*took +0\.1 ms.*\n.*why +why:37/,
  );
  const narrow = new Rig(80, 24);
  await narrow.type("7");
  assert.match(await narrow.text(), /Request rpc:214[^]*result +0x0b MEM_INUSE[^]*why +why:37[^]*handle +18/);
  rig.answer = withNotification;
  rig.time += 1000;
  rig.sample();
  assert.match(await rig.text(), /Notification rpc:215[^]*A notification has no answer/);
});

Deno.test("requests say that there is none, and what went wrong", async () => {
  for (const [error, expected] of [[undefined, /No request recorded yet/], ["the machine has ended", /the machine has ended/]] as const) {
    const rig = new Rig(120, 36);
    rig.answer = (query) => ({ ...phoneAnswer(query), rows: [], error });
    await rig.type("7");
    assert.match(await rig.text(), expected);
    assert.match(await rig.text(), /No request is selected/);
  }
});
