// A Linux in the primary VM as its drivers speak to the real hypervisor and Resource Manager: one
// message of the mailbox is in flight, its end is "not full" of the call or the queue's vIRQ, and
// messages are taken at the other queue's (docs/spec/vm-manager.md §12 and §13).

import assert from "node:assert/strict";
import { Hypercall } from "../../../../src/machine/abi/hypercalls.ts";
import type { NativeVcpu } from "../../../../src/machine/abi/native-guest.ts";
import { rmErrorName } from "../../../../src/machine/abi/rpc/errors.ts";
import type { Fields, Values } from "../../../../src/machine/abi/rpc/layout.ts";
import { decodeReply, encodeRequest, type RpcRequest } from "../../../../src/machine/abi/rpc/message.ts";
import { encodePackets, PacketType, Reassembler, RPC_PACKET_SIZE, type RpcMessage } from "../../../../src/machine/abi/rpc/packet.ts";
import { PRIMARY_LINK } from "../../resource-manager/client.ts";
import type { System } from "../../resource-manager/system.ts";

/** INTIDs of the primary's queues: room to send, and something to receive. */
const TX_VIRQ = 0x3c0, RX_VIRQ = 0x3c1;
const PUSH = 1n;
/** Virtual time (ns) between two checks for messages, and the number of checks. */
const STEP = 20_000, PATIENCE = 2000;

const { buffer, tx, rx } = PRIMARY_LINK;

/** The drivers. */
export class LinuxClient {
  readonly notifications: RpcMessage[] = [];
  /** How often the end of a message was the queue's vIRQ. */
  waits = 0;
  #busy = false;
  #sequence = 0;
  readonly #replies: RpcMessage[] = [];
  readonly #reassembler = new Reassembler();

  constructor(readonly system: System) {
    system.primary.interrupted = (intid) => this.#interrupt(intid);
    system.act((vcpu) => [TX_VIRQ, RX_VIRQ].forEach((intid) => vcpu.enableIrq(intid, true)));
  }

  /** A driver's first calls: the hypervisor's identity, and its version. */
  probe(): { readonly uid: readonly bigint[]; readonly version: bigint; readonly features: bigint } {
    return this.system.act((vcpu) => {
      const uid = vcpu.smc(0x8600_ff01).slice(0, 4).map((word) => word & 0xffff_ffffn);
      const [info, features] = vcpu.hvc(Hypercall.hypervisor_identify);
      return { uid, version: info & 0x3fffn, features };
    });
  }

  /** A request and its reply, which has to be OK. */
  get<Q extends Fields, R extends Fields>(message: RpcRequest<Q, R>, value: Values<Q>): Values<R> {
    const sequence = this.#sequence = (this.#sequence + 1) & 0xffff;
    const packets = encodePackets({ type: PacketType.Request, sequence, id: message.id, payload: encodeRequest(message, value) });
    while (packets.length > 0) {
      this.#until(() => !this.#busy, "the end of the message in flight");
      this.system.act((vcpu) => this.#send(vcpu, packets));
    }
    this.#until(() => this.#replies.length > 0, `a reply to ${message.name}`);
    const reply = this.#replies.shift()!;
    assert.deepEqual([reply.sequence, reply.id], [sequence, message.id], "the reply is to the one request that waits");
    const decoded = decodeReply(message, reply.payload);
    assert.ok(decoded.ok, `the reply to ${message.name} can be read`);
    assert.equal(rmErrorName(decoded.value.error), "OK", message.name);
    return decoded.value.value!;
  }

  /** Waits for a notification of this kind; the others stay. */
  notified(id: number, matches: (payload: Uint8Array) => boolean): Uint8Array {
    const find = () => this.notifications.findIndex((each) => each.id === id && matches(each.payload));
    this.#until(() => find() >= 0, `a notification 0x${id.toString(16)}`);
    return this.notifications.splice(find(), 1)[0].payload;
  }

  /** Sends packets until one of them has not ended; only the last of a message is pushed. */
  #send(vcpu: NativeVcpu, packets: Uint8Array[]): void {
    for (let packet = packets.shift(); packet !== undefined; packet = this.#busy ? undefined : packets.shift()) {
      assert.ok(vcpu.write(buffer, packet));
      const flags = packets.length === 0 ? PUSH : 0n;
      const [error, notFull] = vcpu.hvc(Hypercall.msgqueue_send, tx, BigInt(packet.length), BigInt(buffer), flags);
      assert.equal(error, 0n, "the queue has room, as the message before has ended");
      this.#busy = notFull === 0n;
      if (this.#busy) this.waits++;
    }
  }

  #interrupt(intid: number): void {
    if (intid === TX_VIRQ) this.#busy = false;
    if (intid === RX_VIRQ) this.#receive();
  }

  /** Takes all messages. */
  #receive(): void {
    const vcpu = this.system.primary.vcpu!;
    for (let more = 1n; more === 1n;) {
      const at = buffer + RPC_PACKET_SIZE;
      const [error, size, notEmpty] = vcpu.hvc(Hypercall.msgqueue_receive, rx, BigInt(at), BigInt(RPC_PACKET_SIZE));
      if (error !== 0n) return;
      more = notEmpty;
      const result = this.#reassembler.accept(vcpu.read(at, Number(size))!);
      if (result.done) (result.message.type === PacketType.Notification ? this.notifications : this.#replies).push(result.message);
    }
  }

  #until(done: () => boolean, what: string): void {
    for (let patience = PATIENCE; !done(); patience--) {
      assert.ok(patience > 0, `${what} comes`);
      this.system.wait(STEP);
    }
  }
}
