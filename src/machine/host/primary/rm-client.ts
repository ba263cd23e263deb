// The host VM's end of the link to the Resource Manager: requests out, replies and notifications
// in, over two message queues (docs/spec/resource-manager.md §1).

import { ErrorCode, errorName } from "../../abi/errors.ts";
import { HypercallCaller } from "../../abi/hypercall-caller.ts";
import type { HypercallArguments } from "../../abi/hypercalls.ts";
import type { NativeVcpu } from "../../abi/native-guest.ts";
import { encodePackets, PacketType, Reassembler, RPC_PACKET_SIZE, type RpcMessage } from "../../abi/rpc/packet.ts";
import { Vmid } from "../../abi/rpc/messages/vm.ts";
import { MsgqueueSendFlags } from "../../abi/words.ts";
import type { RmLink } from "./platform.ts";
import { requestKey } from "../../abi/ids.ts";

/**
 * A message for the host. `tag` is the tag of the request; the payload of a reply begins with its
 * error word.
 */
type Incoming =
  | { readonly kind: "reply"; readonly tag: number; readonly id: number; readonly payload: Uint8Array }
  | { readonly kind: "notification"; readonly id: number; readonly payload: Uint8Array };

/** State of a client: plain data. */
export interface RmClientState {
  /** Sequence number of the last request. */
  sequence: number;
  /** Tags of requests without a reply, by sequence number. */
  pending: [number, number][];
  /** Packets that wait for room in the queue. */
  outbox: Uint8Array[];
  /** A message with packets outstanding. */
  partial: Reassembler["partial"];
}

/** The link. It is used by one vCPU at a time. */
export class RmClient {
  readonly #link: RmLink;
  /** IPA of a page for packets: one that is sent, one that is received. */
  readonly #buffer: number;
  readonly #problem: (message: string) => void;
  readonly #calls = new HypercallCaller();
  readonly #receive: HypercallArguments<"msgqueue_receive">;
  #sequence = 0;
  readonly #pending = new Map<number, number>();
  /** Packets waiting for room in the queue, in order. */
  #outbox: Uint8Array[] = [];
  readonly #reassembler = new Reassembler();

  /**
   * @param problem is called for errors that should never occur: refused hypercalls, malformed
   * packets.
   */
  constructor(link: RmLink, buffer: number, problem: (message: string) => void) {
    this.#link = link;
    this.#buffer = buffer;
    this.#problem = problem;
    this.#receive = { msgqueue: link.rxCap, buffer: buffer + RPC_PACKET_SIZE, buf_size: RPC_PACKET_SIZE };
  }

  /**
   * Sends a request, or as much of it as the queue has room for; the rest follows at its "not full"
   * vIRQ.
   */
  request(vcpu: NativeVcpu, id: number, payload: Uint8Array, tag: number): void {
    this.#sequence = this.#sequence + 1 & 0xffff;
    this.#pending.set(this.#sequence, tag);
    vcpu.trace.publish(requestKey(Vmid.Hlos, this.#sequence));
    this.#outbox.push(...encodePackets({ type: PacketType.Request, sequence: this.#sequence, id, payload }));
    this.flush(vcpu);
  }

  /** Sends waiting packets until the queue is full: at the "not full" vIRQ. */
  flush(vcpu: NativeVcpu): void {
    this.#calls.vcpu = vcpu;
    while (this.#outbox.length > 0) {
      const packet = this.#outbox[0];
      if (!vcpu.write(this.#buffer, packet)) return this.#problem("the page for packets is not writable memory of the host");
      // Linux pushes the last packet of a message; to push each costs an interrupt and loses
      // nothing.
      const { error } = this.#calls.msgqueue_send({
        msgqueue: this.#link.txCap,
        size: packet.length,
        data: this.#buffer,
        send_flags: MsgqueueSendFlags.Push,
      });
      if (error === ErrorCode.MSGQUEUE_FULL) return;
      this.#outbox.shift();
      if (error !== ErrorCode.OK) this.#problem(`msgqueue_send to the Resource Manager: ${errorName(error)}`);
    }
  }

  /** Takes all messages that have arrived: at the "not empty" vIRQ. */
  receive(vcpu: NativeVcpu): Incoming[] {
    this.#calls.vcpu = vcpu;
    const messages: Incoming[] = [];
    for (;;) {
      const { error, size, not_empty } = this.#calls.msgqueue_receive(this.#receive);
      if (error === ErrorCode.MSGQUEUE_EMPTY) return messages;
      const packet = error === ErrorCode.OK ? vcpu.read(this.#buffer + RPC_PACKET_SIZE, size) : undefined;
      if (packet === undefined) {
        this.#problem(`msgqueue_receive from the Resource Manager: ${errorName(error)}`);
        return messages;
      }
      const message = this.#accept(packet);
      if (message !== undefined) messages.push(message);
      if (!not_empty) return messages;
    }
  }

  /** The state, as plain data. */
  save(): RmClientState {
    return {
      sequence: this.#sequence,
      pending: [...this.#pending],
      outbox: this.#outbox.map((packet) => packet.slice()),
      partial: this.#reassembler.partial,
    };
  }

  /** Puts a saved state back. */
  restore(state: RmClientState): void {
    this.#sequence = state.sequence;
    this.#pending.clear();
    for (const [sequence, tag] of state.pending) this.#pending.set(sequence, tag);
    this.#outbox = state.outbox.map((packet) => packet.slice());
    this.#reassembler.partial = state.partial;
  }

  #accept(packet: Uint8Array): Incoming | undefined {
    const result = this.#reassembler.accept(packet);
    if (!result.done) {
      if (result.dropped !== undefined) this.#problem(`a packet from the Resource Manager was dropped: ${result.dropped}`);
      return undefined;
    }
    const { message } = result;
    if (message.type === PacketType.Notification) return { kind: "notification", id: message.id, payload: message.payload };
    return this.#reply(message);
  }

  #reply({ type, sequence, id, payload }: RpcMessage): Incoming | undefined {
    const tag = this.#pending.get(sequence);
    if (type !== PacketType.Reply || tag === undefined) {
      this.#problem(`the Resource Manager sent a message of type ${type}, sequence ${sequence}, that nothing waits for`);
      return undefined;
    }
    this.#pending.delete(sequence);
    return { kind: "reply", tag, id, payload };
  }
}
