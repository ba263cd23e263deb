// The RPC link of a VM: two message queues, messages in transit, and back-pressure
// (docs/spec/resource-manager.md §1.1, §1.4). At most one message is in transmission per VM;
// replies go before notifications; the oldest of too many notifications is dropped.

import type { CapId, Vmid } from "../../abi/numbers.ts";
import { ErrorCode, errorName } from "../../abi/errors.ts";
import { MsgqueueRight } from "../../abi/rights.ts";
import { encodePackets, PacketType, Reassembler, RPC_PACKET_SIZE, type RpcMessage } from "../../abi/rpc/packet.ts";
import type { Fields, Values } from "../../abi/rpc/layout.ts";
import type { RpcNotification } from "../../abi/rpc/message.ts";
import { traceFields } from "../../abi/rpc/messages/all.ts";
import type { TraceFields } from "../../abi/trace.ts";
import { msgqueueCreateInfo } from "../../abi/words.ts";
import type { Context } from "../state/context.ts";
import { RECEIVE_BUFFER, RECEIVE_BUFFER_SIZE, SEND_BUFFER } from "../state/memory-layout.ts";
import type { Link, Vm } from "../state/state.ts";

/** Limit on the notifications that wait for one VM. */
export const NOTIFICATIONS_MAX = 256;
/** With this many replies waiting, a VM's requests wait as well, in its queue. */
export const REPLIES_MAX = 8;

/** Whether the VM has REPLIES_MAX replies to take, so that its requests have to wait too. */
export function isBackedUp(link: Link): boolean {
  return link.replies.length >= REPLIES_MAX;
}

/** Sends a reply, or keeps it until the link is free. */
export function sendReply(context: Context, link: Link, reply: RpcMessage): void {
  link.replies.push(reply);
  flush(context, link);
}

/**
 * Sends a notification to a VM. Without a link it is lost but counted, as on the real Resource
 * Manager.
 */
export function notify<F extends Fields>(context: Context, vm: Vm, message: RpcNotification<F>, value: Values<F>): void {
  const sequence = context.state.notificationSequence;
  context.state.notificationSequence = (sequence + 1) & 0xffff;
  const { trace } = context.calls;
  const sent: RpcMessage = { type: PacketType.Notification, sequence, id: message.id, payload: message.layout.encode(value) };
  if (trace.isWanted("rpc")) {
    const lost = vm.link === undefined;
    trace.event("rpc", message.name, { to: vm.vmid, sequence, lost, ...traceFields(value) }, lost ? undefined : sent);
  }
  if (vm.link === undefined) return;
  const { faults } = context.calls.vcpu;
  const hit = faults.armed.rpc ? faults.hit("rpc", { msg: message.name, vm: vm.vmid, seq: sequence, type: "notification" }) : undefined;
  if (hit?.effect.kind === "lose") return;
  for (let times = hit?.effect.kind === "double" ? 2 : 1; times > 0; times--) {
    if (vm.link.notifications.length === NOTIFICATIONS_MAX) {
      vm.link.notifications.shift();
      tellDrop(context, "NOTIFICATION_DROPPED", {
        to: vm.vmid,
        dropped: `${NOTIFICATIONS_MAX} notifications wait for it: the oldest goes`,
      });
    }
    vm.link.notifications.push(sent);
  }
  flush(context, vm.link);
}

/** Sends as much as the queue takes; continues when its send vIRQ reports space. */
export function flush(context: Context, link: Link): void {
  for (;;) {
    if (link.packets.length === 0) {
      const next = link.replies.shift() ?? link.notifications.shift();
      if (next === undefined) return;
      link.packets = encodePackets(next);
    }
    while (link.packets.length > 0) {
      const code = sendPacket(context, link, link.packets[0]);
      if (code === ErrorCode.MSGQUEUE_FULL) return;
      if (code === ErrorCode.OK) {
        link.packets.shift();
        continue;
      }
      // A VM whose configuration made its queue too small for packets loses the message: a part of
      // it would be useless.
      context.log(`VM ${link.vmid}: message lost: ${errorName(code)}`);
      tellDrop(context, "MESSAGE_DROPPED", { to: link.vmid, dropped: `its queue refuses a packet: ${errorName(code)}` });
      link.packets = [];
    }
  }
}

/** The error code of the send. */
function sendPacket(context: Context, link: Link, packet: Uint8Array): number {
  const { calls } = context;
  const buffer = context.environment.app_heap_ipa + SEND_BUFFER;
  if (!calls.vcpu.write(buffer, packet)) throw new Error("the packet buffer of the Resource Manager is not writable");
  return calls.try.msgqueue_send({ msgqueue: link.sendQueue, size: packet.length, data: buffer, send_flags: 0 }).error;
}

/**
 * Takes the next complete message from a VM's queue; undefined when the queue is empty. Malformed
 * packets are dropped.
 */
export function receiveMessage(context: Context, link: Link): RpcMessage | undefined {
  const { calls } = context;
  const buffer = context.environment.app_heap_ipa + RECEIVE_BUFFER;
  const reassembler = new Reassembler();
  reassembler.partial = link.partial;
  for (;;) {
    const { error, size } = calls.try.msgqueue_receive({ msgqueue: link.receiveQueue, buffer, buf_size: RPC_PACKET_SIZE });
    if (error !== ErrorCode.OK) return undefined;
    if (size === 0) {
      discardHead(context, link, buffer);
      continue;
    }
    const packet = calls.vcpu.read(buffer, size);
    if (packet === undefined) throw new Error("the packet buffer of the Resource Manager is not readable");
    const result = reassembler.accept(packet);
    link.partial = reassembler.partial;
    if (result.done) return result.message;
    if (result.dropped !== undefined) dropPacket(context, link, result.dropped);
  }
}

/**
 * Removes a message that is not a packet: a VM's configuration can make its queue large enough for
 * longer ones.
 */
function discardHead(context: Context, link: Link, buffer: number): void {
  const { error, size } = context.calls.try.msgqueue_receive({
    msgqueue: link.receiveQueue,
    buffer,
    buf_size: RECEIVE_BUFFER_SIZE,
  });
  if (error !== ErrorCode.OK) return;
  if (size === 0) throw new Error(`VM ${link.vmid}: a message is too long for the packet buffer of the Resource Manager`);
  dropPacket(context, link, `${size} bytes exceed ${RPC_PACKET_SIZE}`);
}

/** A packet of a VM is thrown away: its sender gets no answer. */
function dropPacket(context: Context, { vmid }: Link, rule: string): void {
  context.log(`VM ${vmid}: packet dropped: ${rule}`);
  tellDrop(context, "PACKET_DROPPED", { from: vmid, dropped: rule });
}

/** Nobody hears of it otherwise. @param fields whose it is, and `dropped`: why */
function tellDrop({ calls: { trace } }: Context, name: string, fields: TraceFields): void {
  if (trace.isWanted("rpc")) trace.event("rpc", name, fields);
}

/** The two queues of a link and the VM's ends. */
export interface NewLink {
  readonly link: Link;
  /** In the VM's cspace: to send with, and to receive with. */
  readonly txCap: CapId;
  readonly rxCap: CapId;
}

/** Where a VM's ends of the link are bound. */
interface LinkTarget {
  readonly vmid: Vmid;
  readonly cspace: CapId;
  readonly vic: CapId;
  /** vIRQs of the VM's VIC. */
  readonly txVirq: number;
  readonly rxVirq: number;
  readonly depth: number;
  readonly messageSize: number;
}

/**
 * Makes the queues of a link and binds both ends, in the order in which the real Resource Manager
 * does.
 * @throws HypercallFailure, Refusal; the link is undone then.
 */
export function createLink(context: Context, target: LinkTarget): NewLink {
  return context.allOrNothing((onFailure) => makeLink(context, target, onFailure));
}

function makeLink(context: Context, target: LinkTarget, onFailure: (takeBack: () => void) => void): NewLink {
  const { calls } = context;
  const queue = () => {
    const cap = context.build("msgqueue", (each) => {
      calls.msgqueue_configure({ msgqueue: each, create_info: msgqueueCreateInfo(target.depth, target.messageSize) });
    });
    onFailure(() => context.remove(cap));
    return cap;
  };
  const end = (queue: CapId, right: number) => {
    const cap = calls.copyCap(queue, target.cspace, right);
    onFailure(() => context.remove(cap, target.cspace));
    return cap;
  };
  const virq = () => {
    const number = context.allocateVirq();
    onFailure(() => context.freeVirq(number));
    return number;
  };
  const receiveQueue = queue();
  const sendQueue = queue();
  const txCap = end(receiveQueue, MsgqueueRight.Send);
  const rxCap = end(sendQueue, MsgqueueRight.Receive);
  const sendVirq = virq();
  const receiveVirq = virq();
  calls.msgqueue_bind_receive_virq({ msgqueue: receiveQueue, vic: context.resources.vic, virq: receiveVirq });
  calls.msgqueue_bind_send_virq({ msgqueue: sendQueue, vic: context.resources.vic, virq: sendVirq });
  calls.msgqueue_bind_send_virq({ msgqueue: receiveQueue, vic: target.vic, virq: target.txVirq });
  calls.msgqueue_bind_receive_virq({ msgqueue: sendQueue, vic: target.vic, virq: target.rxVirq });
  const link: Link = {
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
