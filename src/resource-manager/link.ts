// The RPC link of a VM: two message queues, what is on its way on them, and back-pressure (spec/resource-manager.md §1.1, §1.4).
// At most one message is in transmission per VM; replies go before notifications; the oldest of too many notifications is dropped.

import { ErrorCode, errorName } from "../abi/errors.ts";
import { MsgqueueRight } from "../abi/rights.ts";
import { encodePackets, PacketType, Reassembler, RPC_PACKET_SIZE, type RpcMessage } from "../abi/rpc/packet.ts";
import type { Fields, Values } from "../abi/rpc/layout.ts";
import type { RpcNotification } from "../abi/rpc/message.ts";
import { msgqueueCreateInfo } from "../abi/words.ts";
import type { Context } from "./context.ts";
import { RECEIVE_BUFFER, SEND_BUFFER } from "./memory-layout.ts";
import type { LinkRecord, Vm } from "./state.ts";

/** Most notifications that wait for one VM. */
const NOTIFICATIONS_MAX = 256;
/** With so many replies waiting, a VM's requests wait as well, in its queue. */
const REPLIES_MAX = 8;

/** Whether the VM takes so few of its replies that it shall be asked no more. */
export function isBackedUp(link: LinkRecord): boolean {
  return link.replies.length >= REPLIES_MAX;
}

/** Sends a reply, or keeps it until the link is free. */
export function sendReply(context: Context, link: LinkRecord, reply: RpcMessage): void {
  link.replies.push(reply);
  flush(context, link);
}

/** Sends a notification to a VM. Without a link it is lost, though counted, as on the real Resource Manager. */
export function notify<F extends Fields>(context: Context, vm: Vm, message: RpcNotification<F>, value: Values<F>): void {
  const sequence = context.state.notificationSequence;
  context.state.notificationSequence = (sequence + 1) & 0xffff;
  if (vm.link === undefined) return;
  if (vm.link.notifications.length === NOTIFICATIONS_MAX) vm.link.notifications.shift();
  vm.link.notifications.push({ type: PacketType.Notification, sequence, id: message.id, payload: message.layout.encode(value) });
  flush(context, vm.link);
}

/** Sends as much as the queue takes; goes on when its send vIRQ says that there is room. */
export function flush(context: Context, link: LinkRecord): void {
  for (;;) {
    if (link.packets.length === 0) {
      const next = link.replies.shift() ?? link.notifications.shift();
      if (next === undefined) return;
      link.packets = encodePackets(next);
    }
    while (link.packets.length > 0) {
      if (!sendPacket(context, link, link.packets[0])) return;
      link.packets.shift();
    }
  }
}

function sendPacket(context: Context, link: LinkRecord, packet: Uint8Array): boolean {
  const { calls } = context;
  const buffer = context.environment.app_heap_ipa + SEND_BUFFER;
  if (!calls.vcpu.write(buffer, packet)) throw new Error("the packet buffer of the resource manager is not writable");
  const { code } = calls.try("msgqueue_send", link.sendQueue, packet.length, buffer, 0);
  if (code === ErrorCode.MSGQUEUE_FULL) return false;
  // A VM whose configuration made its queue too small for packets loses them.
  if (code !== ErrorCode.OK) context.log(`VM ${link.vmid}: packet lost: ${errorName(code)}`);
  return true;
}

/** Takes the next whole message from a VM's queue; undefined when the queue is empty. Malformed packets are dropped. */
export function receiveMessage(context: Context, link: LinkRecord): RpcMessage | undefined {
  const { calls } = context;
  const buffer = context.environment.app_heap_ipa + RECEIVE_BUFFER;
  const reassembler = new Reassembler();
  reassembler.partial = link.partial;
  for (;;) {
    const { code, results } = calls.try("msgqueue_receive", link.receiveQueue, buffer, RPC_PACKET_SIZE);
    if (code !== ErrorCode.OK) return undefined;
    const packet = calls.vcpu.read(buffer, Number(results[1]));
    if (packet === undefined) throw new Error("the packet buffer of the resource manager is not readable");
    const result = reassembler.accept(packet);
    link.partial = reassembler.partial;
    if (result.done) return result.message;
    if (result.dropped !== undefined) context.log(`VM ${link.vmid}: packet dropped: ${result.dropped}`);
  }
}

/** The two queues of a link and the VM's ends. */
export interface NewLink {
  readonly link: LinkRecord;
  /** In the VM's cspace: to send with, and to receive with. */
  readonly txCap: bigint;
  readonly rxCap: bigint;
}

/** Where a VM's ends of the link are bound. */
export interface LinkTarget {
  readonly vmid: number;
  readonly cspace: bigint;
  readonly vic: bigint;
  /** vIRQs of the VM's VIC. */
  readonly txVirq: number;
  readonly rxVirq: number;
  readonly depth: number;
  readonly messageSize: number;
}

/** Makes the queues of a link and binds both ends, in the order in which the real Resource Manager does. */
export function createLink(context: Context, target: LinkTarget): NewLink {
  const { calls } = context;
  const queue = () => {
    const cap = calls.create("msgqueue");
    calls.do("msgqueue_configure", cap, msgqueueCreateInfo(target.depth, target.messageSize));
    calls.activate(cap);
    return cap;
  };
  const receiveQueue = queue();
  const sendQueue = queue();
  const txCap = calls.copyCap(receiveQueue, target.cspace, MsgqueueRight.Send);
  const rxCap = calls.copyCap(sendQueue, target.cspace, MsgqueueRight.Receive);
  const sendVirq = context.allocateVirq();
  const receiveVirq = context.allocateVirq();
  calls.do("msgqueue_bind_receive_virq", receiveQueue, context.resources.vic, receiveVirq);
  calls.do("msgqueue_bind_send_virq", sendQueue, context.resources.vic, sendVirq);
  calls.do("msgqueue_bind_send_virq", receiveQueue, target.vic, target.txVirq);
  calls.do("msgqueue_bind_receive_virq", sendQueue, target.vic, target.rxVirq);
  const link: LinkRecord = {
    vmid: target.vmid,
    receiveQueue,
    sendQueue,
    receiveVirq,
    sendVirq,
    partial: undefined,
    packets: [],
    replies: [],
    notifications: [],
  };
  return { link, txCap, rxCap };
}
