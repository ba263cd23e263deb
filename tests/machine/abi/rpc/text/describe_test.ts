// Packets field by field, and the page about all messages.

import assert from "node:assert/strict";
import fc from "fast-check";
import { describePackets, describePayload } from "../../../../../src/machine/abi/rpc/text/describe.ts";
import { RPC_MESSAGES } from "../../../../../src/machine/abi/rpc/messages/all.ts";
import { MEM_LEND } from "../../../../../src/machine/abi/rpc/messages/memory.ts";
import { encodePackets, PacketType } from "../../../../../src/machine/abi/rpc/packet.ts";

const bytes = (hex: string) => Uint8Array.from(hex.split(" ").map((byte) => parseInt(byte, 16)));

Deno.test("a worked packet is told field by field", () => {
  const packet = bytes(
    "21 01 03 00 12 00 00 51 00 00 00 00 00 00 00 00 01 00 00 00 80 00 07 00 01 00 00 00 00 00 00 90 00 00 00 00 00 00 20 00 00 00 00 00 00 00 00 00",
  );
  assert.deepEqual(describePackets(packet).map((line) => line.replace(/ +/g, " ").trim()), [
    "request MEM_LEND 0x51000012 #0x3, 48 bytes",
    "0 u8 mem_type 0",
    "1 u8 (reserved) 00",
    "2 u8 flags 0",
    "3 u8 (reserved) 00",
    "4 u32 label 0",
    "8 u16 acl.count 1",
    "10 u16 (reserved) 0",
    "12 u16 acl[0].vmid 0x80",
    "14 u8 acl[0].rights 7",
    "15 u8 (reserved) 00",
    "16 u16 sgl.count 1",
    "18 u16 (reserved) 0",
    "20 u64 sgl[0].address 0x90000000",
    "28 u64 sgl[0].size 0x200000",
    "36 u16 attributes.count 0",
    "38 u16 (reserved) 0",
  ]);
});

Deno.test("a refusal, a notification, a cut payload and malformed bytes are described as what they are", () => {
  const told = (hex: string) => describePackets(bytes(hex)).map((line) => line.replace(/ +/g, " ").trim());
  assert.deepEqual(told("21 02 07 00 04 00 00 56 03 00 00 00"), ["reply VM_START 0x56000004 #0x7, 12 bytes", "0 u32 error DENIED"]);
  assert.deepEqual(told("21 03 05 00 08 00 10 56 80 00 00 00 0b 00 00 00").slice(1), [
    "0 u16 vmid 0x80",
    "2 u16 (reserved) 0000",
    "4 u8 vm_state 0xb",
    "5 u8 os_state 0",
    "6 u16 app_status 0",
  ]);
  assert.deepEqual(told("21 01 01 00 01 00 00 56 00").slice(1), ["0 u16 vmid missing", "0 u8[..] (after the last field) 00"]);
  assert.deepEqual(told("22 01"), ["not an RM RPC packet: 2 bytes, the header has 8"]);
});

Deno.test("a message of several packets is told as one", () => {
  const sgl = Array.from({ length: 40 }, (_, index) => ({ address: BigInt(index), size: 1n }));
  const payload = MEM_LEND.request.encode({ mem_type: 0, flags: 0, label: 0, acl: [], sgl, attributes: [] });
  const packets = encodePackets({ type: PacketType.Request, sequence: 1, id: MEM_LEND.id, payload });
  const lines = describePackets(Uint8Array.from(packets.flatMap((packet) => [...packet])));
  assert.equal(lines.length, packets.length + 5 + 2 + (2 + 2 * 40) + 2);
  assert.match(lines.find((line) => line.includes("sgl[39].address"))!, /0x27$/);
});

Deno.test("any bytes under any id are described, and the fields lie one after the other", () => {
  const ids = fc.constantFrom(...RPC_MESSAGES.keys(), 0x1234);
  fc.assert(fc.property(fc.constantFrom(1, 2, 3), ids, fc.uint8Array({ maxLength: 120 }), (type, id, payload) => {
    let at = -1;
    for (const { offset } of describePayload(type as PacketType, id, payload)) {
      assert.ok(offset >= at && offset <= Math.max(payload.length, 4));
      at = offset;
    }
  }));
});
