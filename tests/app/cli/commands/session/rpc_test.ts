// `el2 rpc decode`: bytes in any spelling become the fields of a message, without a session.

import assert from "node:assert/strict";
import { el2 } from "../../program.ts";
import { Place } from "../../place.ts";

Deno.test("el2 rpc decode tells a reply field by field, however its bytes are spelled", async () => {
  const { code, stdout } = await el2("rpc", "decode", "21", "02", "0700", "0x04000056", "03_00_00_00");
  assert.equal(stdout, "reply VM_START 0x56000004 #0x7, 12 bytes\n    0 u32        error                    DENIED\n");
  assert.equal(code, 0);
});

Deno.test("el2 rpc decode of text that is not bytes is a usage error", async () => {
  const { code, stdout, stderr } = await el2("rpc", "decode", "packet");
  assert.match(stderr, /^el2: .*"packet" is not a list of bytes; use for example/);
  assert.deepEqual([code, stdout], [2, ""]);
});

Deno.test("el2 rpc decode --json says the same for programs, and why bytes are not a packet", async () => {
  const { code, stdout } = await el2("rpc", "decode", "--json", "21020700 04000056 03000000");
  assert.equal(code, 0);
  assert.deepEqual(JSON.parse(stdout), {
    schema: "el2.rpc.decode/1",
    packets: [{ type: "reply", msg: "VM_START", id: "0x56000004", sequence: "0x7", continuations: 0, bytes: 12 }],
    fields: [{ offset: 0, type: "u32", name: "error", value: "DENIED" }],
    problem: null,
  });
  const none = JSON.parse((await el2("rpc", "decode", "--json", "2102")).stdout);
  assert.deepEqual([none.packets, none.fields], [[], []]);
  assert.match(none.problem, /./);
});

Deno.test("rpc send asks the Resource Manager as the host does, and prints what it answers", async () => {
  await using place = new Place();
  await place.up("one");
  await place.printed("ping");
  const { data: [vm] } = await place.json("show", "vm:ping");
  const { data: [answer] } = await place.json("rpc", "send", "VM_GET_STATE", `vmid=${vm.vmid}`);
  assert.deepEqual([answer.msg, answer.about, answer.res], ["VM_GET_STATE", "vm:ping", "ok"]);
  const refused = await place.el2("rpc", "send", "VM_GET_STATE", "--payload", "99000000");
  assert.deepEqual([refused.code, /res +0x02 NORESOURCE/.test(refused.stdout)], [1, true]);
  assert.match(
    refused.stdout,
    /\nbytes +request {2}header=2101 seq=\w{4} message=\w{8} vmid=9900 0000\n +reply {2}header=\w+ .*error=02000000\b/,
  );
  const fields = await place.el2("rpc", "send", "VM_GET_STATE");
  assert.deepEqual([fields.code, fields.stderr], [2, "el2: rpc send VM_GET_STATE: its fields are vmid u16\n"]);
  assert.match((await place.el2("rpc", "send", "VM_GET_STAT", "vmid=1")).stderr, /no request "VM_GET_STAT"; did you mean "VM_GET_STATE"/);
});
