// Peers that are slow, deaf or dead (docs/spec/resource-manager.md §1.4): what waits for them is
// bounded, nobody else waits, nothing is lost that the specification does not let go.

import assert from "node:assert/strict";
import { VM_CONSOLE_OPEN, VM_CONSOLE_WRITE } from "../../../src/machine/abi/rpc/messages/console.ts";
import { VM_STOP } from "../../../src/machine/abi/rpc/messages/lifecycle.ts";
import { VM_GET_ID, VM_GET_VMID, VM_SET_CRASH_MSG } from "../../../src/machine/abi/rpc/messages/queries.ts";
import { encodePackets, PacketType, RPC_PACKET_SIZE, type RpcMessage } from "../../../src/machine/abi/rpc/packet.ts";
import type { Link } from "../../../src/machine/resource-manager/state/state.ts";
import type { Client } from "./client.ts";
import { guestTree, HOST_BASE, Machine, MEMORY, rmRpc } from "./machine.ts";

const DEPTH = 8;

function linkOf(machine: Machine, vmid: number): Link {
  return machine.system.rm.state.vms.find((vm) => vm.vmid === vmid)!.link!;
}

function startGuest(machine: Machine, name: string, place = HOST_BASE): { vmid: number; handle: number; client: Client } {
  const made = machine.start(guestTree(name, [rmRpc({ "console-dev": true })]), place);
  return { ...made, client: machine.guest(made.vmid) };
}

const request = (sequence: number, id = VM_GET_VMID.id, payload: Uint8Array = new Uint8Array(0)) =>
  encodePackets({ type: PacketType.Request, sequence, id, payload });

/** Sends as many requests as the queue takes, from `first` on; gives the number of the next. */
function fill(machine: Machine, by: Client, first: number): number {
  let sequence = first;
  while (by.send(request(sequence)[0])) {
    sequence++;
    machine.system.wait(50_000);
  }
  return sequence;
}

/** Takes everything that comes until nothing does. */
function drain(machine: Machine, by: Client): RpcMessage[] {
  const all: RpcMessage[] = [];
  for (;;) {
    const more = by.receive();
    if (more.length === 0) return all;
    all.push(...more);
    machine.system.wait(50_000);
  }
}

Deno.test("with both queues full nothing more is taken, and every request is answered once the VM listens", () => {
  const machine = new Machine();
  const { primary } = machine;
  const sent = fill(machine, primary, 0);
  const link = linkOf(machine, 3);
  // Its own queue and the Resource Manager's, one reply in transmission, and eight that wait.
  assert.equal(sent, 2 * DEPTH + 1 + DEPTH);
  assert.equal(link.replies.length, DEPTH);
  machine.system.wait(10_000_000);
  assert.equal(primary.send(request(0x999)[0]), false, "time does not help");
  const replies = drain(machine, primary);
  assert.deepEqual(replies.map(({ sequence }) => sequence), Array.from({ length: sent }, (_, index) => index));
  assert.equal(link.replies.length + link.packets.length, 0);
});

Deno.test("a VM that never listens makes nobody else wait, and what waits for it is bounded", () => {
  const machine = new Machine();
  const deaf = startGuest(machine, "deaf");
  const other = startGuest(machine, "other", HOST_BASE + MEMORY);
  deaf.client.get(VM_CONSOLE_OPEN, { target: 0 });
  machine.primary.get(VM_CONSOLE_OPEN, { target: deaf.vmid });
  fill(machine, deaf.client, 0);
  for (let count = 0; count < 400; count++) machine.primary.get(VM_CONSOLE_WRITE, { target: deaf.vmid, data: new Uint8Array(200) });
  assert.deepEqual(other.client.get(VM_GET_VMID, {}), { vmid: other.vmid });
  const { replies, notifications, packets } = linkOf(machine, deaf.vmid);
  assert.deepEqual([replies.length, notifications.length, packets.length], [DEPTH, 256, 1]);
});

Deno.test("what waits for a VM goes with it, and a new one of its VMID starts with nothing", () => {
  const machine = new Machine();
  const before = machine.usage();
  const first = startGuest(machine, "first");
  fill(machine, first.client, 0);
  machine.end(first);
  assert.deepEqual(machine.usage(), before);
  const second = startGuest(machine, "second");
  assert.equal(second.vmid, first.vmid);
  assert.deepEqual(drain(machine, second.client), []);
  assert.deepEqual(second.client.get(VM_GET_VMID, {}), { vmid: second.vmid });
});

Deno.test("a message that a VM has begun when it ends is forgotten", () => {
  const machine = new Machine();
  const first = startGuest(machine, "first");
  const [begin, end] = request(7, VM_SET_CRASH_MSG.id, new Uint8Array(300));
  assert.ok(first.client.send(begin));
  machine.system.wait(50_000);
  assert.notEqual(linkOf(machine, first.vmid).partial, undefined);
  machine.end(first);
  const second = startGuest(machine, "second");
  assert.ok(second.client.send(end));
  machine.system.wait(50_000);
  assert.deepEqual(drain(machine, second.client), []);
});

Deno.test("requests that come while a VM is ended wait, and are answered in order behind the reply to what ended it", () => {
  const machine = new Machine();
  const { primary } = machine;
  const { vmid } = startGuest(machine, "ending");
  drain(machine, primary);
  const stop = VM_STOP.request.encode({ vmid, flags: 1, reason: 0 });
  assert.ok(primary.send(request(1, VM_STOP.id, stop)[0]));
  for (const sequence of [2, 3, 4]) assert.ok(primary.send(request(sequence)[0]));
  machine.system.wait(5_000_000);
  const replies = drain(machine, primary).filter(({ type }) => type === PacketType.Reply);
  assert.deepEqual(replies.map(({ sequence }) => sequence), [1, 2, 3, 4]);
});

Deno.test("a fragmented request of 63 packets comes through a queue of eight, however the other side's time goes", () => {
  const machine = new Machine();
  const { primary } = machine;
  const text = new Uint8Array(14_616);
  new DataView(text.buffer).setUint16(0, 14_612, true);
  const packets = request(5, VM_SET_CRASH_MSG.id, text);
  for (let at = 0; at < packets.length;) {
    if (primary.send(packets[at])) at++;
    else machine.system.wait(20_000);
  }
  machine.system.wait(200_000);
  assert.deepEqual(drain(machine, primary).map(({ sequence, payload }) => [sequence, payload.length]), [[5, 4]]);
});

Deno.test("a message that is too long for a VM's queue is lost as a whole, and the next one comes", () => {
  const machine = new Machine();
  const name = "n".repeat(79);
  const { vmid } = machine.start(guestTree(name, [rmRpc({ "message-size": 120 })]));
  const guest = machine.guest(vmid);
  assert.ok(guest.send(request(1, VM_GET_ID.id, new Uint8Array(4))[0]));
  machine.system.wait(100_000);
  assert.deepEqual(drain(machine, guest), []);
  assert.deepEqual(guest.get(VM_GET_VMID, {}), { vmid });
});

Deno.test("a message that a VM's queue takes and no packet has room for is dropped, and the requests behind it are answered", () => {
  const machine = new Machine();
  const { vmid } = machine.start(guestTree("wide", [rmRpc({ "message-size": 1023 })]));
  const client = machine.guest(vmid);
  for (const length of [RPC_PACKET_SIZE + 1, 1023]) assert.ok(client.send(new Uint8Array(length).fill(0x21)));
  assert.ok(client.send(request(7)[0]));
  assert.ok(client.send(new Uint8Array(1023)));
  machine.system.wait(1_000_000);
  assert.deepEqual(drain(machine, client).map(({ sequence }) => sequence), [7]);
  assert.deepEqual(client.get(VM_GET_VMID, {}), { vmid });
});
