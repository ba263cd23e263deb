// Message queues through their hypercalls (docs/spec/hypervisor.md §4.3).

import assert from "node:assert/strict";
import { RAM_BASE } from "../../../../src/machine/hardware/memory-map.ts";
import { Msgqueue } from "../../../../src/machine/hypervisor/ipc/msgqueue.ts";
import { Caller } from "../caller.ts";

const UNCHANGED = 0xffff_ffffn;

function queue(depth: number, size = 128) {
  const caller = new Caller();
  const object = caller.machine.create(Msgqueue);
  const cap = caller.grant(object);
  assert.equal(caller.error("msgqueue_configure", cap, BigInt(size << 16 | depth)), "OK");
  assert.equal(caller.error("object_activate", cap), "OK");
  assert.equal(caller.error("msgqueue_bind_send_virq", cap, caller.vic, 41n), "OK");
  assert.equal(caller.error("msgqueue_bind_receive_virq", cap, caller.vic, 40n), "OK");
  const { ram } = caller.machine.machine;
  return {
    caller,
    cap,
    send(text: string, flags = 0n) {
      const bytes = new TextEncoder().encode(text);
      ram.write(RAM_BASE, bytes);
      return caller.call("msgqueue_send", cap, BigInt(bytes.length), BigInt(RAM_BASE), flags);
    },
    receive(room = 1024n) {
      const [error, length, more] = caller.call("msgqueue_receive", cap, BigInt(RAM_BASE + 0x1000), room);
      return [error, new TextDecoder().decode(ram.bytes(RAM_BASE + 0x1000, Number(length))), more];
    },
  };
}

Deno.test("limits of a queue's configuration", () => {
  const caller = new Caller();
  const cap = caller.grant(caller.machine.create(Msgqueue));
  for (const info of [0x80_0000n, 0x80_0100n, 0x400_0004n, 4n]) {
    assert.equal(caller.error("msgqueue_configure", cap, info), "ARGUMENT_INVALID");
  }
  assert.equal(caller.error("object_activate", cap), "OBJECT_CONFIG");
});

Deno.test("messages come in order and whole; both ends learn the state of the queue", () => {
  const { send, receive } = queue(2);
  assert.deepEqual(send("one"), ["OK", 1n]);
  assert.deepEqual(send("second"), ["OK", 0n]);
  assert.deepEqual(send("third"), ["MSGQUEUE_FULL", 0n]);
  assert.deepEqual(receive(), ["OK", "one", 1n]);
  assert.deepEqual(receive(), ["OK", "second", 0n]);
  assert.deepEqual(receive(), ["MSGQUEUE_EMPTY", "", 0n]);
});

Deno.test("the receiver hears of the first message and of pushes, the sender of the first room", () => {
  const { caller, send, receive } = queue(2);
  caller.setEdge(40, true);
  caller.setEdge(41, true);
  send("a");
  assert.equal(caller.take(), 40);
  send("b");
  assert.equal(caller.take(), 1023);
  receive();
  assert.ok(caller.isPending(41), "full before, one free now");
  send("c", 1n);
  assert.ok(caller.isPending(40));
});

Deno.test("bad buffers leave the queue as it is", () => {
  const { caller, cap, send, receive } = queue(4, 16);
  assert.equal(caller.error("msgqueue_send", cap, 17n, BigInt(RAM_BASE)), "ARGUMENT_SIZE");
  assert.equal(caller.error("msgqueue_send", cap, 8n, 0x9000_0000n), "ADDR_INVALID");
  assert.equal(caller.error("msgqueue_send", cap, 8n, 0xffff_ffff_ffff_fffcn), "ADDR_OVERFLOW");
  assert.deepEqual(caller.call("msgqueue_send", cap, 0n, BigInt(RAM_BASE)), ["OK", 1n], "no bytes: accepted, not queued");
  assert.deepEqual(receive(), ["MSGQUEUE_EMPTY", "", 0n]);
  send("0123456789");
  assert.deepEqual(receive(9n), ["OK", "", 1n], "it does not fit and stays");
  assert.equal(caller.error("msgqueue_receive", cap, 0x9000_0000n, 64n), "ADDR_INVALID");
  assert.deepEqual(receive(10n), ["OK", "0123456789", 0n]);
});

Deno.test("thresholds, hold-off and flush", () => {
  const { caller, cap, send } = queue(4);
  const configure = (side: "send" | "receive", threshold: bigint, holdoff = UNCHANGED) =>
    caller.error(`msgqueue_configure_${side}`, cap, threshold, holdoff);
  assert.equal(configure("send", 4n), "ARGUMENT_INVALID");
  assert.equal(configure("send", 0xffff_fffen), "ARGUMENT_INVALID");
  assert.equal(configure("receive", 0n), "ARGUMENT_INVALID");
  assert.equal(configure("receive", 5n), "ARGUMENT_INVALID");
  assert.equal(configure("receive", 1n, 0n), "UNIMPLEMENTED");
  assert.equal(configure("send", 1n), "OK");
  assert.ok(caller.isPending(41), "0 messages are no more than 1");
  assert.equal(configure("receive", 0xffff_fffen), "OK");
  for (const text of ["a", "b", "c"]) send(text);
  assert.ok(!caller.isPending(40));
  send("d");
  assert.ok(caller.isPending(40), "the fourth is the threshold");
  assert.equal(configure("send", UNCHANGED), "OK");
  assert.equal(configure("send", 2n), "OK");
  assert.ok(!caller.isPending(41));
  assert.equal(caller.error("msgqueue_flush", cap), "OK");
  assert.ok(caller.isPending(41) && !caller.isPending(40));
  assert.deepEqual(caller.call("msgqueue_receive", cap, BigInt(RAM_BASE), 8n), ["MSGQUEUE_EMPTY", 0n, 0n]);
});
