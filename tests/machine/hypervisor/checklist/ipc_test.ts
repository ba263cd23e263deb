// Checklist of the specification (docs/spec/hypervisor.md §10), lines 53 to 82: doorbells, message
// queues and their vIRQs.

import assert from "node:assert/strict";
import { HYPERCALLS } from "../../../../src/machine/abi/hypercalls.ts";
import { msgqueueCreateInfo, MsgqueueSendFlags } from "../../../../src/machine/abi/words.ts";
import type { Msgqueue } from "../../../../src/machine/hypervisor/ipc/msgqueue.ts";
import { ALL_ONES, Rig } from "./rig.ts";

const VIRQ = 40;
const NO_HOLDOFF = 0xffff_ffffn;

/** A doorbell bound to VIRQ, which the guest has enabled. */
function bell(edge = false): { w: Rig; doorbell: bigint } {
  const w = new Rig();
  const doorbell = w.active("doorbell");
  w.ok("doorbell_bind_virq", { doorbell, vic: w.vic, virq: BigInt(VIRQ) });
  w.enable(VIRQ);
  if (edge) w.edge(VIRQ);
  return { w, doorbell };
}

/** A queue of depth 4 with messages of up to 64 bytes; its receive vIRQ is 40, its send vIRQ 41. */
function queue(): { w: Rig; msgqueue: bigint; send(size?: number, push?: boolean): bigint; receive(size?: bigint): readonly bigint[] } {
  const w = new Rig();
  const msgqueue = w.fresh("msgqueue");
  w.ok("msgqueue_configure", { msgqueue, create_info: msgqueueCreateInfo(4, 64) });
  w.ok("object_activate", { cap: msgqueue });
  w.ok("msgqueue_bind_receive_virq", { msgqueue, vic: w.vic, virq: 40n });
  w.ok("msgqueue_bind_send_virq", { msgqueue, vic: w.vic, virq: 41n });
  w.enable(40, 41);
  return {
    w,
    msgqueue,
    send(size = 8, push = false) {
      const send_flags = push ? BigInt(MsgqueueSendFlags.Push) : 0n;
      return w.ok("msgqueue_send", { msgqueue, size: BigInt(size), data: w.buffer, send_flags })[0];
    },
    receive: (size = 64n) => w.ok("msgqueue_receive", { msgqueue, buffer: w.buffer, buf_size: size }),
  };
}

Deno.test("H53: doorbell_receive takes at least one flag", () => {
  const { w, doorbell } = bell();
  assert.equal(w.error("doorbell_receive", { doorbell, clear_flags: 0n }), "ARGUMENT_INVALID");
});

Deno.test("H54: doorbell_send gives all flags that were set, masked ones too", () => {
  const { w, doorbell } = bell();
  w.ok("doorbell_mask", { doorbell, enable_mask: 1n, ack_mask: 0n });
  w.ok("doorbell_send", { doorbell, new_flags: 0xf0n });
  assert.equal(w.ok("doorbell_send", { doorbell, new_flags: 1n })[0], 0xf0n);
});

Deno.test("H55: an enabled flag raises a level vIRQ once, and clears what is acknowledged automatically", () => {
  const { w, doorbell } = bell();
  w.ok("doorbell_mask", { doorbell, enable_mask: ALL_ONES, ack_mask: 1n });
  w.ok("doorbell_send", { doorbell, new_flags: 1n });
  assert.ok(w.isPending(VIRQ));
  assert.equal(w.serve(), VIRQ);
  assert.ok(!w.isPending(VIRQ), "the flag is gone already");
  assert.equal(w.ok("doorbell_receive", { doorbell, clear_flags: ALL_ONES })[0], 0n);
});

Deno.test("H56: a disabled flag raises an edge vIRQ and no level vIRQ", () => {
  for (const edge of [false, true]) {
    const { w, doorbell } = bell(edge);
    w.ok("doorbell_mask", { doorbell, enable_mask: 0n, ack_mask: 0n });
    w.ok("doorbell_send", { doorbell, new_flags: 1n });
    assert.equal(w.isPending(VIRQ), edge);
  }
});

Deno.test("H57: enabling a flag that is set raises the vIRQ", () => {
  const { w, doorbell } = bell();
  w.ok("doorbell_mask", { doorbell, enable_mask: 0n, ack_mask: 0n });
  w.ok("doorbell_send", { doorbell, new_flags: 1n });
  w.ok("doorbell_mask", { doorbell, enable_mask: 1n, ack_mask: 0n });
  assert.ok(w.isPending(VIRQ));
});

Deno.test("H58: disabling the last flag that is set clears the vIRQ", () => {
  const { w, doorbell } = bell();
  w.ok("doorbell_send", { doorbell, new_flags: 1n });
  w.ok("doorbell_mask", { doorbell, enable_mask: ~1n & ALL_ONES, ack_mask: 0n });
  assert.ok(!w.isPending(VIRQ));
});

Deno.test("H59: doorbell_reset clears flags and acknowledge mask, and enables all", () => {
  const { w, doorbell } = bell();
  w.ok("doorbell_mask", { doorbell, enable_mask: 0n, ack_mask: 0xffn });
  w.ok("doorbell_send", { doorbell, new_flags: 0xffn });
  w.ok("doorbell_reset", { doorbell });
  assert.equal(w.ok("doorbell_send", { doorbell, new_flags: 2n })[0], 0n);
  assert.ok(w.isPending(VIRQ), "enabled");
  assert.equal(w.ok("doorbell_receive", { doorbell, clear_flags: 2n })[0], 2n, "not acknowledged");
});

Deno.test("H60: a doorbell is bound once", () => {
  const { w, doorbell } = bell();
  assert.equal(w.error("doorbell_bind_virq", { doorbell, vic: w.vic, virq: 41n }), "VIRQ_BOUND");
});

Deno.test("H61: a vIRQ has one source", () => {
  const { w } = bell();
  assert.equal(w.error("doorbell_bind_virq", { doorbell: w.active("doorbell"), vic: w.vic, virq: BigInt(VIRQ) }), "BUSY");
});

Deno.test("H62: PPIs and special INTIDs cannot be bound as vIRQs", () => {
  const w = new Rig();
  for (const virq of [31n, 1020n]) {
    assert.equal(w.error("doorbell_bind_virq", { doorbell: w.active("doorbell"), vic: w.vic, virq }), "ARGUMENT_INVALID");
  }
});

Deno.test("H63: the VIC's number of vIRQs is a limit", () => {
  const w = new Rig();
  const bind = (virq: bigint) => w.error("doorbell_bind_virq", { doorbell: w.active("doorbell"), vic: w.vic, virq });
  assert.deepEqual([bind(32n + 63n), bind(32n + 64n)], ["OK", "ARGUMENT_INVALID"]);
});

Deno.test("H64: unbinding is always OK, and a doorbell can be bound again after it", () => {
  const { w, doorbell } = bell();
  assert.equal(w.error("doorbell_unbind_virq", { doorbell }), "OK");
  assert.equal(w.error("doorbell_unbind_virq", { doorbell }), "OK");
  assert.equal(w.error("doorbell_bind_virq", { doorbell, vic: w.vic, virq: 41n }), "OK");
});

Deno.test("H65: queues hold 1 to 255 messages of 1 to 1023 bytes", () => {
  const w = new Rig();
  const msgqueue = w.fresh("msgqueue");
  const configure = (depth: number, size: number) =>
    w.error("msgqueue_configure", { msgqueue, create_info: msgqueueCreateInfo(depth, size) });
  assert.deepEqual([configure(0, 8), configure(256, 8), configure(8, 1024)], new Array(3).fill("ARGUMENT_INVALID"));
  assert.deepEqual([configure(255, 1023), configure(1, 1)], ["OK", "OK"]);
});

Deno.test("H66: a queue is configured before it is activated", () => {
  const w = new Rig();
  assert.equal(w.error("object_activate", { cap: w.fresh("msgqueue") }), "OBJECT_CONFIG");
});

Deno.test("H67: sending to a full queue gives MSGQUEUE_FULL and not_full 0", () => {
  const { w, msgqueue, send } = queue();
  for (let count = 0; count < 4; count++) send();
  const { error, results } = w.call("msgqueue_send", { msgqueue, size: 8n, data: w.buffer });
  assert.deepEqual([error, results[0]], [61, 0n]);
});

Deno.test("H68: the send that fills the queue tells so", () => {
  const { send } = queue();
  assert.deepEqual([send(), send(), send(), send()], [1n, 1n, 1n, 0n]);
});

Deno.test("H69: receiving from an empty queue gives MSGQUEUE_EMPTY, size 0 and not_empty 0", () => {
  const { w, msgqueue } = queue();
  const { error, results } = w.call("msgqueue_receive", { msgqueue, buffer: w.buffer, buf_size: 64n });
  assert.deepEqual([error, results[0], results[1]], [60, 0n, 0n]);
});

Deno.test("H70: the receive that empties the queue tells so", () => {
  const { send, receive } = queue();
  send();
  send();
  assert.deepEqual([receive()[1], receive()[1]], [1n, 0n]);
});

Deno.test("H71: the first message raises the receive vIRQ, the second nothing new", () => {
  const { w, send } = queue();
  w.edge(40);
  send();
  assert.equal(w.serve(), 40);
  send();
  assert.ok(!w.isPending(40));
});

Deno.test("H72: a message with PUSH always raises the receive vIRQ", () => {
  const { w, send } = queue();
  w.edge(40);
  send();
  assert.equal(w.serve(), 40);
  send(8, true);
  assert.ok(w.isPending(40));
});

Deno.test("H73: the first room in a full queue raises the send vIRQ", () => {
  const { w, send, receive } = queue();
  for (let count = 0; count < 4; count++) send();
  assert.ok(!w.isPending(41));
  receive();
  assert.ok(w.isPending(41));
});

Deno.test("H74: messages come in order, whole and with their length", () => {
  const { w, send, receive } = queue();
  const { ram } = w.hypervisor.machine;
  for (const length of [1, 7, 64]) {
    ram.write(Number(w.buffer), new Uint8Array(64).fill(length));
    send(length);
  }
  for (const length of [1, 7, 64]) {
    ram.write(Number(w.buffer), new Uint8Array(64));
    assert.equal(receive()[0], BigInt(length));
    const expected = new Uint8Array(64);
    assert.deepEqual(ram.bytes(Number(w.buffer), 64), (expected.fill(length, 0, length), expected));
  }
});

Deno.test("H75: a message of no bytes or too many leaves the queue as it is", () => {
  const { w, msgqueue } = queue();
  assert.equal(w.error("msgqueue_send", { msgqueue, size: 0n, data: w.buffer }), "OK");
  assert.equal(w.error("msgqueue_send", { msgqueue, size: 65n, data: w.buffer }), "ARGUMENT_SIZE");
  assert.equal(w.get<Msgqueue>(msgqueue).count, 0);
});

Deno.test("H76: a buffer that is too small leaves the message in the queue", () => {
  const { send, receive } = queue();
  send(16);
  assert.deepEqual(receive(15n).slice(0, 2), [0n, 1n]);
  assert.deepEqual(receive(16n).slice(0, 2), [16n, 0n]);
});

Deno.test("H77: a sender's threshold is below the depth", () => {
  const { w, msgqueue } = queue();
  const set = (not_full_thres: bigint) => w.error("msgqueue_configure_send", { msgqueue, not_full_thres, not_full_holdoff: NO_HOLDOFF });
  assert.deepEqual([set(3n), set(4n)], ["OK", "ARGUMENT_INVALID"]);
});

Deno.test("H78: a receiver's threshold is not 0; -2 means the depth, -1 keeps it", () => {
  const { w, msgqueue, send } = queue();
  const set = (not_empty_thres: bigint) =>
    w.error("msgqueue_configure_receive", { msgqueue, not_empty_thres, not_empty_holdoff: NO_HOLDOFF });
  assert.deepEqual([set(0n), set(0xffff_fffen), set(0xffff_ffffn)], ["ARGUMENT_INVALID", "OK", "OK"]);
  w.edge(40);
  for (let count = 0; count < 3; count++) send();
  assert.ok(!w.isPending(40));
  send();
  assert.ok(w.isPending(40), "with the fourth of four");
});

Deno.test("H79: there is no hold-off", () => {
  const { w, msgqueue } = queue();
  for (const holdoff of [0n, 1n, 0xffff_fffen]) {
    assert.equal(w.error("msgqueue_configure_send", { msgqueue, not_full_thres: 1n, not_full_holdoff: holdoff }), "UNIMPLEMENTED");
    assert.equal(w.error("msgqueue_configure_receive", { msgqueue, not_empty_thres: 1n, not_empty_holdoff: holdoff }), "UNIMPLEMENTED");
  }
});

Deno.test("H80: a threshold that the count meets already raises the send vIRQ", () => {
  const { w, msgqueue, send } = queue();
  send();
  assert.ok(!w.isPending(41));
  w.ok("msgqueue_configure_send", { msgqueue, not_full_thres: 1n, not_full_holdoff: NO_HOLDOFF });
  assert.ok(w.isPending(41));
});

Deno.test("H81: flushing raises the send vIRQ and clears the receive vIRQ", () => {
  const { w, msgqueue, send } = queue();
  send();
  assert.ok(w.isPending(40));
  w.ok("msgqueue_flush", { msgqueue });
  assert.deepEqual([w.isPending(40), w.isPending(41)], [false, true]);
});

Deno.test("H82: the numbers of halting a doorbell and a queue are not assigned", () => {
  const w = new Rig();
  for (const number of [0x601e, 0x6016]) assert.equal(w.hvc(number)[0], ALL_ONES);
  assert.ok(!Object.values(HYPERCALLS).some(({ number }) => number === 0x1e || number === 0x16));
});
