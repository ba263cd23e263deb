// The RPC link of a VM: back-pressure, order, and packets that are dropped.

import assert from "node:assert/strict";
import fc from "fast-check";
import { ErrorCode } from "../../../../src/machine/abi/errors.ts";
import { printMessage, RPC_MESSAGES } from "../../../../src/machine/abi/rpc/messages/all.ts";
import { VM_ALLOCATE } from "../../../../src/machine/abi/rpc/messages/lifecycle.ts";
import { VM_GET_VMID, VM_LOOKUP_NAME } from "../../../../src/machine/abi/rpc/messages/queries.ts";
import { VM_CONSOLE_CHARS } from "../../../../src/machine/abi/rpc/messages/console.ts";
import { encodePackets, PacketType, Reassembler, type RpcMessage } from "../../../../src/machine/abi/rpc/packet.ts";
import { flush, notify } from "../../../../src/machine/resource-manager/rpc/link.ts";
import { Context } from "../../../../src/machine/resource-manager/state/context.ts";
import { boot } from "../../../../src/machine/resource-manager/vm/boot.ts";
import { serve } from "../../../../src/machine/resource-manager/dispatch.ts";
import { handlers } from "../../../../src/machine/resource-manager/handlers/all.ts";
import type { Vm } from "../../../../src/machine/resource-manager/state/state.ts";
import { ENVIRONMENT_IPA, type FakeVcpu, recordedVcpu } from "../fake-vcpu.ts";

/** A booted Resource Manager and the primary's ends of its link. */
class Primary {
  readonly context = new Context();
  readonly vcpu: FakeVcpu = recordedVcpu();
  readonly vm: Vm;
  readonly #reassembler = new Reassembler();

  constructor() {
    this.context.calls.vcpu = this.vcpu;
    this.vcpu.fail = (name, args) => name === "vic_configure" && args[4] !== undefined ? ErrorCode.ARGUMENT_INVALID : undefined;
    boot(this.context, ENVIRONMENT_IPA);
    this.vm = this.context.vm(3)!;
  }

  /** Puts the packets that fit into the Resource Manager's queue, and lets it serve. */
  send(...packets: Uint8Array[]): void {
    for (const packet of packets) {
      this.vcpu.queue(this.vm.link!.receiveQueue).messages.push(packet);
      serve(this.context, this.vm);
    }
  }

  request(sequence: number, message: { id: number } = VM_GET_VMID, payload = new Uint8Array(0)): void {
    this.send(...encodePackets({ type: PacketType.Request, sequence, id: message.id, payload }));
  }

  /**
   * Takes everything that is in the primary's queue, and tells the Resource Manager that there is
   * room.
   */
  receive(): RpcMessage[] {
    const { messages } = this.vcpu.queue(this.vm.link!.sendQueue);
    const received = messages.splice(0).flatMap((packet) => {
      const result = this.#reassembler.accept(packet);
      assert.ok(result.done || result.dropped === undefined, "packets of two messages are not mixed");
      return result.done ? [result.message] : [];
    });
    flush(this.context, this.vm.link!);
    serve(this.context, this.vm);
    return received;
  }

  receiveAll(): RpcMessage[] {
    const all: RpcMessage[] = [];
    const queue = this.vcpu.queue(this.vm.link!.sendQueue);
    do all.push(...this.receive()); while (queue.messages.length > 0);
    return all;
  }
}

Deno.test("every declared request has a handler, and no other id has one", () => {
  const requests = [...RPC_MESSAGES.values()].filter(({ kind }) => kind === "request");
  assert.deepEqual([...handlers.keys()].sort(), requests.map(({ id }) => id).sort());
});

Deno.test("replies that the primary does not take wait, and come in order when it does", () => {
  const primary = new Primary();
  for (let sequence = 0; sequence < 40; sequence++) primary.request(sequence);
  assert.equal(primary.vcpu.queue(primary.vm.link!.sendQueue).messages.length, 8);
  assert.ok(primary.vm.link!.replies.length <= 8, "what waits is bounded");
  assert.deepEqual(primary.receiveAll().map(({ sequence }) => sequence), Array.from({ length: 40 }, (_, index) => index));
});

Deno.test("replies go before notifications, and the oldest of too many notifications is dropped", () => {
  const primary = new Primary();
  for (let number = 0; number < 300; number++) {
    notify(primary.context, primary.vm, VM_CONSOLE_CHARS, { from: number, data: new Uint8Array(0) });
  }
  primary.request(1);
  const received = primary.receiveAll();
  const numbers = received.filter(({ type }) => type === PacketType.Notification).map(({ sequence }) => sequence);
  // Eight were in the queue, the ninth was in transmission.
  assert.deepEqual(numbers.slice(0, 9), [0, 1, 2, 3, 4, 5, 6, 7, 8]);
  assert.deepEqual(numbers.slice(9), Array.from({ length: 256 }, (_, index) => 300 - 256 + index));
  assert.equal(received.findIndex(({ type }) => type === PacketType.Reply), 9);
});

Deno.test("a packet that the queue refuses is lost and logged, and the link continues", () => {
  const primary = new Primary();
  primary.vcpu.fail = (name) => name === "msgqueue_send" ? ErrorCode.ARGUMENT_SIZE : undefined;
  primary.request(1);
  primary.vcpu.fail = () => undefined;
  primary.request(2);
  assert.deepEqual(primary.receiveAll().map(({ sequence }) => sequence), [2]);
});

Deno.test("of a message whose first packet is refused, nothing comes", () => {
  const primary = new Primary();
  let refused = false;
  primary.vcpu.fail = (name) => name === "msgqueue_send" && !refused && (refused = true) ? ErrorCode.ARGUMENT_SIZE : undefined;
  notify(primary.context, primary.vm, VM_CONSOLE_CHARS, { from: 3, data: new Uint8Array(500) });
  primary.request(2);
  assert.deepEqual(primary.receiveAll().map(({ type, sequence }) => [type, sequence]), [[PacketType.Reply, 2]]);
});

Deno.test("a reply is never mixed with another message, however long it is", () => {
  const primary = new Primary();
  const long = { from: 3, data: new Uint8Array(2000) };
  notify(primary.context, primary.vm, VM_CONSOLE_CHARS, long);
  primary.request(1);
  notify(primary.context, primary.vm, VM_CONSOLE_CHARS, long);
  assert.deepEqual(primary.receiveAll().map(({ type }) => type), [PacketType.Notification, PacketType.Reply, PacketType.Notification]);
});

Deno.test("no sequence of bytes on the link stops the Resource Manager", () => {
  const ids = fc.constantFrom(VM_GET_VMID.id, VM_LOOKUP_NAME.id, VM_ALLOCATE.id, 0x5600_0017, 0x5600_0020, 0x5100_0012, 0);
  const packet = fc.oneof(
    fc.uint8Array({ maxLength: 240 }),
    fc.tuple(fc.nat(255), ids, fc.uint8Array({ maxLength: 232 })).map(([kind, id, payload]) => {
      const bytes = new Uint8Array(8 + payload.length);
      bytes.set([0x21, kind]);
      new DataView(bytes.buffer).setUint32(4, id, true);
      bytes.set(payload, 8);
      return bytes;
    }),
  );
  fc.assert(
    fc.property(fc.array(packet, { maxLength: 20 }), (packets) => {
      const primary = new Primary();
      for (const each of packets) primary.send(each);
      primary.vm.link!.partial = undefined;
      primary.receiveAll().forEach(printMessage);
      primary.request(0x7777);
      assert.equal(primary.receiveAll().at(-1)?.sequence, 0x7777);
    }),
    { numRuns: 60 },
  );
});
