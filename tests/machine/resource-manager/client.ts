// A VM's side of the RPC with the Resource Manager, for tests on a `System`: declared messages in,
// decoded replies and notifications out.

import assert from "node:assert/strict";
import { ErrorCode } from "../../../src/machine/abi/errors.ts";
import { Hypercall } from "../../../src/machine/abi/hypercalls.ts";
import type { NativeVcpu } from "../../../src/machine/abi/native-guest.ts";
import { rmErrorName } from "../../../src/machine/abi/rpc/errors.ts";
import type { Fields, Values } from "../../../src/machine/abi/rpc/layout.ts";
import { decodeReply, encodeRequest, type RpcRequest } from "../../../src/machine/abi/rpc/message.ts";
import { printMessage } from "../../../src/machine/abi/rpc/messages/all.ts";
import { encodePackets, PacketType, Reassembler, RPC_PACKET_SIZE, type RpcMessage } from "../../../src/machine/abi/rpc/packet.ts";
import type { System } from "./system.ts";

/** Where a client keeps packets in its VM's memory, and what it sends to and receives from. */
export interface ClientPlace {
  readonly buffer: number;
  readonly tx: bigint;
  readonly rx: bigint;
}

/** The primary's link, as it is after the boot. */
export const PRIMARY_LINK: ClientPlace = { buffer: 0x4400_0000, tx: 0n, rx: 1n };

export class Client {
  /** Texts of notifications, oldest first, without their sequence numbers. */
  readonly notifications: string[] = [];
  readonly #reassembler = new Reassembler();
  #sequence = 0;

  /** @param on runs a step on the VM's vCPU. */
  constructor(readonly system: System, readonly on: <T>(step: (vcpu: NativeVcpu) => T) => T, readonly place: ClientPlace) {}

  /** The name of the error that a request is answered with, and the reply's fields. */
  ask<Q extends Fields, R extends Fields>(message: RpcRequest<Q, R>, value: Values<Q>): { error: string; value: Values<R> | undefined } {
    const reply = this.askRaw(message.id, encodeRequest(message, value));
    const decoded = decodeReply(message, reply.payload);
    assert.ok(decoded.ok, "the reply can be read");
    return { error: rmErrorName(decoded.value.error), value: decoded.value.value };
  }

  /** The fields of a reply that must be OK. */
  get<Q extends Fields, R extends Fields>(message: RpcRequest<Q, R>, value: Values<Q>): Values<R> {
    const reply = this.ask(message, value);
    assert.equal(reply.error, "OK", `${message.name}: ${Deno.inspect(this.system.hypervisor.trace.reasons.last)}`);
    return reply.value!;
  }

  /** The reply to a request of these bytes. */
  askRaw(id: number, payload: Uint8Array): RpcMessage {
    const sequence = this.#sequence = (this.#sequence + 1) & 0xffff;
    for (const packet of encodePackets({ type: PacketType.Request, sequence, id, payload })) {
      assert.ok(this.send(packet), "the packet is taken");
      this.system.wait(20_000);
    }
    for (let patience = 0; patience < 100; patience++) {
      const reply = this.receive().find(({ type }) => type === PacketType.Reply);
      if (reply !== undefined) {
        assert.equal(reply.sequence, sequence);
        return reply;
      }
      this.system.wait(100_000);
    }
    throw new Error("there is no reply");
  }

  /** Puts bytes into the queue to the Resource Manager. False when the queue is full. */
  send(packet: Uint8Array): boolean {
    return this.on((vcpu) => {
      assert.ok(vcpu.write(this.place.buffer, packet));
      const [error] = vcpu.hvc(Hypercall.msgqueue_send, this.place.tx, BigInt(packet.length), BigInt(this.place.buffer), 1n);
      assert.ok(error === 0n || error === BigInt(ErrorCode.MSGQUEUE_FULL));
      return error === 0n;
    });
  }

  /** Takes one packet as it is; undefined when there is none. */
  receivePacket(): Uint8Array | undefined {
    return this.on((vcpu) => {
      const buffer = this.place.buffer + 0x800;
      const [error, size] = vcpu.hvc(Hypercall.msgqueue_receive, this.place.rx, BigInt(buffer), BigInt(RPC_PACKET_SIZE));
      return error === 0n ? vcpu.read(buffer, Number(size)) : undefined;
    });
  }

  /** Takes everything from the queue; notifications go to their list. */
  receive(): RpcMessage[] {
    const messages: RpcMessage[] = [];
    for (;;) {
      const packet = this.receivePacket();
      if (packet === undefined) break;
      const result = this.#reassembler.accept(packet);
      if (result.done) messages.push(result.message);
    }
    for (const message of messages) {
      if (message.type === PacketType.Notification) {
        this.notifications.push(printMessage(message).replace(/^notification (\S+) #\d+/, "$1"));
      }
    }
    return messages;
  }
}
