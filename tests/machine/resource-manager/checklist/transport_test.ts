// Lines 1 to 23 of the checklist (docs/spec/resource-manager.md §14): packets, fragments, order,
// back-pressure.

import assert from "node:assert/strict";
import { VM_CONSOLE_CHARS, VM_CONSOLE_OPEN, VM_CONSOLE_WRITE } from "../../../../src/machine/abi/rpc/messages/console.ts";
import { VM_ALLOCATE, VM_DEALLOCATE } from "../../../../src/machine/abi/rpc/messages/lifecycle.ts";
import { VM_GET_ID, VM_GET_OWNER, VM_GET_VMID, VM_SET_CRASH_MSG } from "../../../../src/machine/abi/rpc/messages/queries.ts";
import { encodePackets, PacketType, RPC_MAX_PAYLOAD } from "../../../../src/machine/abi/rpc/packet.ts";
import type { Client } from "../client.ts";
import { guestTree, Machine, rmRpc } from "../machine.ts";

const bytes = (hex: string) => Uint8Array.from(hex.split(" ").map((byte) => parseInt(byte, 16)));
const hex = (packet: Uint8Array) => [...packet].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
const view = (packet: Uint8Array) => new DataView(packet.buffer, packet.byteOffset, packet.length);

/**
 * Packets on the primary's link, as they are; a guest makes notifications of any length by what it
 * writes to its console.
 */
class Wire {
  readonly machine = new Machine();
  #guest: Client | undefined;

  /** Sends the packets that the queue takes, giving the Resource Manager time after each. */
  send(...packets: Uint8Array[]): void {
    for (const packet of packets) {
      assert.ok(this.machine.primary.send(packet));
      this.machine.system.wait(50_000);
    }
  }

  /** Takes every packet that comes. */
  receive(): Uint8Array[] {
    const packets: Uint8Array[] = [];
    for (;;) {
      const packet = this.machine.primary.receivePacket();
      if (packet === undefined) return packets;
      packets.push(packet);
      this.machine.system.wait(50_000);
    }
  }

  exchange(...packets: Uint8Array[]): string[] {
    this.send(...packets);
    return this.receive().map(hex);
  }

  /** Has the Resource Manager send VM_CONSOLE_CHARS with a payload of this length. */
  notify(length: number, first = 0): void {
    this.#guest ??= this.#start();
    const data = new Uint8Array(length - 4).fill(first);
    this.#guest.get(VM_CONSOLE_WRITE, { target: 0, data });
  }

  #start(): Client {
    const { vmid } = this.machine.start(guestTree("writer", [rmRpc({ "console-dev": true })]));
    const guest = this.machine.guest(vmid);
    guest.get(VM_CONSOLE_OPEN, { target: 0 });
    this.machine.primary.get(VM_CONSOLE_OPEN, { target: vmid });
    this.receive();
    return guest;
  }

  request(sequence: number, id: number, payload = new Uint8Array(0)): Uint8Array[] {
    return encodePackets({ type: PacketType.Request, sequence, id, payload });
  }
}

/** VM_GET_VMID with sequence number 2, and its reply. */
const GET_VMID = bytes("21 01 02 00 24 00 00 56");
const GET_VMID_REPLY = "21 02 02 00 24 00 00 56 00 00 00 00 03 00 00 00";

/** Payloads of VM_CONSOLE_CHARS begin with the VM and the number of characters. */
const CHARS_HEADER = 4;

function isChars(packet: Uint8Array): boolean {
  return view(packet).getUint32(4, true) === VM_CONSOLE_CHARS.id;
}

Deno.test("R1: every packet that the Resource Manager sends starts with 0x21", () => {
  const wire = new Wire();
  wire.notify(1000);
  wire.send(GET_VMID, ...wire.request(3, 0x1234));
  const packets = wire.receive();
  assert.equal(packets.length, 7);
  assert.ok(packets.every(([first]) => first === 0x21));
});

Deno.test("R2: an unfragmented reply has 0x02 in byte 1, an unfragmented notification 0x03", () => {
  const wire = new Wire();
  wire.notify(CHARS_HEADER + 4);
  wire.send(GET_VMID);
  assert.deepEqual(wire.receive().map((packet) => packet[1]), [0x03, 0x02]);
});

Deno.test("R3: a reply has the sequence number of its request", () => {
  const wire = new Wire();
  for (const sequence of [0, 1, 0x1234, 0xffff]) {
    wire.send(...wire.request(sequence, VM_GET_VMID.id));
    assert.equal(view(wire.receive()[0]).getUint16(2, true), sequence);
  }
});

Deno.test("R4: a reply has the message id of its request, whatever it is", () => {
  const wire = new Wire();
  for (const id of [VM_GET_VMID.id, VM_GET_OWNER.id, 0, 0xffff_fffe]) {
    wire.send(...wire.request(1, id));
    assert.equal(view(wire.receive()[0]).getUint32(4, true), id);
  }
});

Deno.test("R5: the first payload word of a reply is the error, in its first packet", () => {
  const wire = new Wire();
  const errors = [[VM_GET_VMID.id, 0], [VM_DEALLOCATE.id, 4], [0x77, 0xffff_ffff]].map(([id, error]) => {
    wire.send(...wire.request(1, id));
    const [packet] = wire.receive();
    assert.ok(packet.length >= 12);
    return [view(packet).getUint32(8, true), error];
  });
  for (const [error, expected] of errors) assert.equal(error, expected);
});

Deno.test("R6: a standard reply is 12 bytes, header included", () => {
  const wire = new Wire();
  wire.send(...wire.request(7, 0x5600_0004, bytes("80 00 00 00")));
  assert.deepEqual(wire.receive().map(hex), ["21 02 07 00 04 00 00 56 0d 00 00 00"]);
});

Deno.test("R7: a payload of 232 bytes is one packet with no continuations", () => {
  const wire = new Wire();
  wire.notify(232);
  wire.send(GET_VMID);
  const packets = wire.receive().filter(isChars);
  assert.deepEqual(packets.map((packet) => [packet.length, packet[1]]), [[240, 0x03]]);
});

Deno.test("R8: a payload of 233 bytes is two packets that both count one continuation, the second of type 0", () => {
  const wire = new Wire();
  wire.notify(233);
  wire.send(GET_VMID);
  const packets = wire.receive().filter(isChars);
  assert.deepEqual(packets.map((packet) => [packet.length, packet[1]]), [[240, 0x07], [9, 0x04]]);
});

Deno.test("R9: a payload of 14616 bytes, 63 packets, is taken from a VM", () => {
  const wire = new Wire();
  const text = new Uint8Array(RPC_MAX_PAYLOAD);
  // A text of all but the four bytes of its own length, which needs no padding.
  view(text).setUint16(0, RPC_MAX_PAYLOAD - 4, true);
  text.fill(0x41, 4);
  const packets = wire.request(9, VM_SET_CRASH_MSG.id, text);
  assert.equal(packets.length, 63);
  assert.deepEqual(wire.exchange(...packets), ["21 02 09 00 86 00 00 56 00 00 00 00"]);
  const { crashMessage } = wire.machine.system.rm.state.vms.find(({ vmid }) => vmid === 3)!;
  assert.deepEqual(crashMessage, new Uint8Array(192).fill(0x41));
});

Deno.test("R10: a packet that announces 63 continuations is dropped", () => {
  const wire = new Wire();
  const packet = GET_VMID.slice();
  packet[1] = 63 << 2 | PacketType.Request;
  assert.deepEqual(wire.exchange(packet, GET_VMID), [GET_VMID_REPLY]);
});

Deno.test("R11: a packet of another version or header length is dropped without a reply", () => {
  const wire = new Wire();
  for (const first of [0x20, 0x22, 0x11, 0x31, 0x00, 0xff]) {
    const packet = GET_VMID.slice();
    packet[0] = first;
    assert.deepEqual(wire.exchange(packet), []);
  }
  assert.deepEqual(wire.exchange(GET_VMID), [GET_VMID_REPLY]);
});

Deno.test("R12: a packet shorter than 8 bytes is dropped", () => {
  const wire = new Wire();
  for (let length = 1; length < 8; length++) assert.deepEqual(wire.exchange(GET_VMID.slice(0, length)), []);
  assert.deepEqual(wire.exchange(GET_VMID), [GET_VMID_REPLY]);
});

Deno.test("R13: a continuation without a message that has begun is dropped", () => {
  const wire = new Wire();
  const packet = GET_VMID.slice();
  packet[1] = PacketType.Continuation;
  assert.deepEqual(wire.exchange(packet), []);
  assert.deepEqual(wire.exchange(GET_VMID), [GET_VMID_REPLY]);
});

Deno.test("R14: a continuation of another sequence number, id or count leaves the message in progress as it is", () => {
  const wire = new Wire();
  const text = new Uint8Array(300);
  view(text).setUint16(0, 296, true);
  text.fill(0x42, 4);
  const [first, second] = wire.request(5, VM_SET_CRASH_MSG.id, text);
  const foreign = [2, 4, 1].map((at) => {
    const packet = second.slice();
    packet[at] += at === 1 ? 4 : 1;
    return packet;
  });
  assert.deepEqual(wire.exchange(first, ...foreign, second), ["21 02 05 00 86 00 00 56 00 00 00 00"]);
});

Deno.test("R15: a request in the middle of a fragmented one discards that and is answered itself", () => {
  const wire = new Wire();
  const [first, second] = wire.request(5, VM_SET_CRASH_MSG.id, new Uint8Array(300));
  assert.deepEqual(wire.exchange(first, GET_VMID, second), [GET_VMID_REPLY]);
});

Deno.test("R16: packets of two messages to a VM are never mixed", () => {
  const wire = new Wire();
  for (let count = 0; count < 3; count++) wire.notify(2000);
  for (let sequence = 1; sequence <= 6; sequence++) wire.send(...wire.request(sequence, VM_GET_ID.id, bytes("00 00 00 00")));
  const packets = wire.receive();
  let left = 0;
  let current = "";
  for (const packet of packets) {
    const message = hex(packet.slice(2, 8));
    if (left === 0) {
      assert.notEqual(packet[1] & 3, PacketType.Continuation);
      left = packet[1] >> 2;
      current = message;
    } else {
      assert.equal(packet[1] & 3, PacketType.Continuation);
      assert.equal(message, current);
      left--;
    }
  }
  assert.equal(left, 0);
  assert.equal(packets.filter((packet) => (packet[1] & 3) === PacketType.Reply).length, 6);
  assert.equal(packets.filter((packet) => (packet[1] & 3) === PacketType.Notification).length, 3);
});

Deno.test("R17: a full queue makes the Resource Manager wait, and nothing is lost when it continues", () => {
  const wire = new Wire();
  wire.notify(10_000);
  wire.send(GET_VMID);
  const { link } = wire.machine.system.rm.state.vms.find(({ vmid }) => vmid === 3)!;
  // The notification has 44 packets; the queue holds eight.
  assert.equal(link!.packets.length, 36);
  assert.deepEqual(wire.receive().map((packet) => packet[1] & 3), [PacketType.Notification, ...new Array(43).fill(0), PacketType.Reply]);
  assert.equal(link!.packets.length, 0);
});

Deno.test("R18: an unknown message id gets UNIMPLEMENTED", () => {
  const wire = new Wire();
  assert.deepEqual(wire.exchange(...wire.request(1, 0x5600_00ff)), ["21 02 01 00 ff 00 00 56 ff ff ff ff"]);
});

Deno.test("R19: a packet of type reply from a VM causes no answer", () => {
  const wire = new Wire();
  const packet = GET_VMID.slice();
  packet[1] = PacketType.Reply;
  assert.deepEqual(wire.exchange(packet), []);
});

Deno.test("R20: a packet of type notification from a VM causes no answer", () => {
  const wire = new Wire();
  const packet = GET_VMID.slice();
  packet[1] = PacketType.Notification;
  assert.deepEqual(wire.exchange(packet), []);
});

/** The first character of each notification. */
function characters(packets: readonly Uint8Array[]): number[] {
  return packets.filter((packet) => packet[1] === PacketType.Notification).map((packet) => packet[8 + CHARS_HEADER]);
}

Deno.test("R21: notifications to a VM keep their order when its queue was full", () => {
  const wire = new Wire();
  for (let number = 0; number < 100; number++) wire.notify(CHARS_HEADER + 1, number);
  assert.deepEqual(characters(wire.receive()), Array.from({ length: 100 }, (_, index) => index));
});

Deno.test("R22: of more than 256 notifications that wait, the oldest is dropped and not the newest", () => {
  const wire = new Wire();
  for (let number = 0; number < 300; number++) wire.notify(CHARS_HEADER + 1, number & 0xff);
  const sent = characters(wire.receive());
  // Eight were in the queue and one in transmission when the others began to wait.
  assert.deepEqual(sent.slice(0, 9), [0, 1, 2, 3, 4, 5, 6, 7, 8]);
  assert.deepEqual(sent.slice(9), Array.from({ length: 256 }, (_, index) => 300 - 256 + index & 0xff));
});

Deno.test("R23: two requests that are sent back to back both get replies", () => {
  const wire = new Wire();
  const { primary } = wire.machine;
  assert.ok(primary.send(GET_VMID));
  assert.ok(primary.send(wire.request(3, VM_ALLOCATE.id, bytes("00 00 00 00"))[0]));
  wire.machine.system.wait(100_000);
  assert.deepEqual(wire.receive().map(hex), [GET_VMID_REPLY, "21 02 03 00 01 00 00 56 00 00 00 00 80 00 00 00"]);
});
