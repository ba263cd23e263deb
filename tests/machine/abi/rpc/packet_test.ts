// RPC packets: cutting messages, joining them, and what is dropped.

import assert from "node:assert/strict";
import fc from "fast-check";
import {
  decodeHeader,
  encodePackets,
  PacketType,
  Reassembler,
  RPC_MAX_PAYLOAD,
  RPC_PACKET_SIZE,
  type RpcMessage,
} from "../../../../src/machine/abi/rpc/packet.ts";

function message(payload: number | Uint8Array, more: Partial<RpcMessage> = {}): RpcMessage {
  const bytes = typeof payload === "number" ? new Uint8Array(payload).map((_, index) => index * 7) : payload;
  return { type: PacketType.Request, sequence: 5, id: 0x5600_0001, payload: bytes, ...more };
}

function join(packets: Uint8Array[]): RpcMessage | undefined {
  const reassembler = new Reassembler();
  let last: RpcMessage | undefined;
  for (const packet of packets) {
    const result = reassembler.accept(packet);
    if (result.done) last = result.message;
  }
  return last;
}

Deno.test("packets have the bytes of the worked examples", () => {
  const hex = (bytes: Uint8Array) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
  assert.deepEqual(encodePackets(message(new Uint8Array(4), { sequence: 1 })).map(hex), ["21 01 01 00 01 00 00 56 00 00 00 00"]);
  assert.deepEqual(encodePackets(message(0, { sequence: 2, id: 0x5600_0024 })).map(hex), ["21 01 02 00 24 00 00 56"]);
  const three = encodePackets(message(600));
  assert.deepEqual(three.map((packet) => packet[1]), [0x09, 0x08, 0x08]);
  assert.deepEqual(three.map((packet) => packet.length - 8), [232, 232, 136]);
});

Deno.test("a payload takes as many packets as the specification counts", () => {
  const counts = [0, 4, 232, 233, 600, RPC_MAX_PAYLOAD].map((length) => encodePackets(message(length)).length);
  assert.deepEqual(counts, [1, 1, 1, 2, 3, 63]);
  assert.throws(() => encodePackets(message(RPC_MAX_PAYLOAD + 1)), RangeError);
});

Deno.test("any message survives cutting and joining", () => {
  const types = fc.constantFrom(PacketType.Request, PacketType.Reply, PacketType.Notification);
  fc.assert(fc.property(fc.nat(3000), types, fc.nat(0xffff), fc.nat(0xffff_ffff), (length, type, sequence, id) => {
    const original = message(length, { type, sequence, id });
    const packets = encodePackets(original);
    assert.ok(packets.every((packet) => packet.length <= RPC_PACKET_SIZE));
    assert.deepEqual(join(packets), original);
  }));
});

Deno.test("a malformed header is dropped and says why", () => {
  const good = encodePackets(message(4))[0];
  const reason = (packet: Uint8Array) => {
    const decoded = decodeHeader(packet);
    return decoded.ok ? "" : decoded.problem;
  };
  assert.equal(reason(good), "");
  assert.match(reason(good.subarray(0, 7)), /7 bytes, the header has 8/);
  for (const version of [0x22, 0x11, 0x01, 0]) assert.match(reason(good.with(0, version)), /version/);
  assert.match(reason(good.with(1, 63 << 2 | 1)), /63 fragments/);
});

Deno.test("a continuation that belongs to nothing leaves the message in progress as it is", () => {
  const reassembler = new Reassembler();
  const [first, second] = encodePackets(message(300));
  const stray = encodePackets(message(300, { sequence: 6 }))[1];
  assert.deepEqual(reassembler.accept(second), { done: false, dropped: "a continuation, but no message has begun" });
  assert.deepEqual(reassembler.accept(first), { done: false });
  assert.deepEqual(reassembler.accept(stray), { done: false, dropped: "a continuation of another message" });
  assert.deepEqual(reassembler.accept(second), { done: true, message: message(300) });
});

Deno.test("a new message discards an unfinished one", () => {
  const reassembler = new Reassembler();
  reassembler.accept(encodePackets(message(300))[0]);
  assert.deepEqual(reassembler.accept(encodePackets(message(4, { sequence: 6 }))[0]), { done: true, message: message(4, { sequence: 6 }) });
  assert.equal(reassembler.partial, undefined);
});
