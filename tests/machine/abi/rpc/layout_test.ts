// RPC layouts: the bytes of the worked examples, the rules for lists, and hostile payloads.

import assert from "node:assert/strict";
import fc from "fast-check";
import { RmError } from "../../../../src/machine/abi/rpc/errors.ts";
import { decodeReply, encodeError, encodeReply } from "../../../../src/machine/abi/rpc/message.ts";
import { printMessage, RPC_MESSAGES, rpcName } from "../../../../src/machine/abi/rpc/messages/all.ts";
import { MEM_ACCEPT, MEM_APPEND, MEM_LEND, MEM_RELEASE } from "../../../../src/machine/abi/rpc/messages/memory.ts";
import { VM_ALLOCATE, VM_EXITED } from "../../../../src/machine/abi/rpc/messages/lifecycle.ts";
import { VM_LOOKUP_NAME, VM_STATUS } from "../../../../src/machine/abi/rpc/messages/queries.ts";
import { VmState } from "../../../../src/machine/abi/rpc/messages/vm.ts";
import { PacketType } from "../../../../src/machine/abi/rpc/packet.ts";

const bytes = (hex: string) => Uint8Array.from(hex.split(" ").map((byte) => parseInt(byte, 16)));
const lend = {
  mem_type: 0,
  flags: 0,
  label: 0,
  acl: [{ vmid: 0x80, rights: 7 }],
  sgl: [{ address: 0x9000_0000n, size: 0x20_0000n }],
  attributes: [],
};
const lendBytes = bytes(
  "00 00 00 00 00 00 00 00 01 00 00 00 80 00 07 00 01 00 00 00 00 00 00 90 00 00 00 00 00 00 20 00 00 00 00 00 00 00 00 00",
);

Deno.test("payloads have the bytes of the worked examples", () => {
  assert.deepEqual(MEM_LEND.request.encode(lend), lendBytes);
  assert.deepEqual(encodeReply(VM_ALLOCATE, { vmid: 0x80 }), bytes("00 00 00 00 80 00 00 00"));
  assert.deepEqual(encodeReply(VM_ALLOCATE), bytes("00 00 00 00"));
  assert.deepEqual(encodeError(RmError.DENIED), bytes("03 00 00 00"));
  const status = { vmid: 0x80, vm_state: VmState.Reset, os_state: 0, app_status: 0 };
  assert.deepEqual(VM_STATUS.layout.encode(status), bytes("80 00 00 00 0b 00 00 00"));
  const exited = { vmid: 0x80, exit_type: 7, reason_size: 4, reason: new Uint8Array(4) };
  assert.deepEqual(VM_EXITED.layout.encode(exited), bytes("80 00 07 00 04 00 00 00 00 00 00 00"));
});

Deno.test("a payload decodes to the fields that made it", () => {
  assert.deepEqual(MEM_LEND.request.decode(lendBytes), { ok: true, value: lend });
});

Deno.test("a list that is missing at the end is empty, one that is cut is refused", () => {
  const error = (payload: Uint8Array) => {
    const decoded = MEM_LEND.request.decode(payload);
    return decoded.ok ? RmError.OK : decoded.error;
  };
  assert.equal(error(lendBytes.subarray(0, 36)), RmError.OK);
  for (const length of [0, 19, 28, 35, 37, 39]) assert.equal(error(lendBytes.subarray(0, length)), RmError.MSG_INVALID, `${length} bytes`);
  assert.equal(error(Uint8Array.of(...lendBytes, 0, 0, 0, 0)), RmError.MSG_INVALID, "trailing bytes");
  const tooMany = new Uint8Array(40);
  new DataView(tooMany.buffer).setUint16(8, 513, true);
  assert.equal(error(tooMany), RmError.NORESOURCE);
});

Deno.test("lengths are judged as each message declares it", () => {
  assert.ok(MEM_RELEASE.request.decode(new Uint8Array(40)).ok, "longer is tolerated");
  assert.ok(!MEM_APPEND.request.decode(new Uint8Array(8)).ok, "below the minimum");
  assert.ok(MEM_APPEND.request.decode(new Uint8Array(12)).ok);
});

Deno.test("text has to be padded with zeros", () => {
  const decode = (...payload: number[]) => VM_LOOKUP_NAME.request.decode(Uint8Array.from(payload)).ok;
  assert.ok(decode(3, 0, 0, 0, 72, 76, 79, 0));
  assert.ok(!decode(3, 0, 0, 0, 72, 76, 79), "padding is missing");
  assert.ok(!decode(3, 0, 0, 0, 72, 76, 79, 1), "padding is not zero");
});

Deno.test("map_vmid is the annotation of the list in MEM_ACCEPT", () => {
  const request = {
    handle: 1,
    mem_type: 0,
    trans_type: 1,
    flags: 0x80,
    label: 0,
    acl: [],
    sgl: { entries: [], annotation: 9 },
    attributes: [],
  };
  assert.deepEqual(MEM_ACCEPT.request.decode(MEM_ACCEPT.request.encode(request)), { ok: true, value: request });
});

Deno.test("a reply is its error, with fields only where they were sent", () => {
  assert.deepEqual(decodeReply(VM_ALLOCATE, encodeError(RmError.NORESOURCE)), { ok: true, value: { error: 2, value: undefined } });
  assert.deepEqual(decodeReply(VM_ALLOCATE, encodeReply(VM_ALLOCATE, { vmid: 7 })), { ok: true, value: { error: 0, value: { vmid: 7 } } });
  assert.ok(!decodeReply(VM_ALLOCATE, Uint8Array.of(0, 0)).ok);
});

Deno.test("every id is declared once and no payload of any message makes decoding or printing throw", () => {
  assert.equal(new Set([...RPC_MESSAGES.values()].map((message) => message.name)).size, RPC_MESSAGES.size);
  const ids = fc.constantFrom(...RPC_MESSAGES.keys(), 1);
  const types = fc.constantFrom(PacketType.Request, PacketType.Reply, PacketType.Notification);
  fc.assert(fc.property(ids, types, fc.uint8Array({ maxLength: 120 }), (id, type, payload) => {
    assert.ok(printMessage({ id, type, sequence: 0, payload }).includes(rpcName(id)));
  }));
});

Deno.test("a message prints with the names of its fields", () => {
  const text = printMessage({ type: PacketType.Request, sequence: 3, id: MEM_LEND.id, payload: lendBytes });
  assert.match(text, /^request MEM_LEND #3 mem_type=0 flags=0 label=0 acl=\[vmid=0x80 rights=7\] sgl=\[address=0x90000000 size=0x200000\]/);
});
