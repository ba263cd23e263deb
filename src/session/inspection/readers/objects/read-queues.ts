// Rows about message queues and doorbells, and the messages in a queue.

import { DoorbellRight, MsgqueueRight } from "../../../../machine/abi/rights.ts";
import { Doorbell, type HypervisorObject, type Msgqueue } from "../../../../machine/hypervisor/inspect.ts";
import { Vmid } from "../guest-names.ts";
import { holdersOf, otherHolders } from "./read-caps.ts";
import { formatId, objId, withKind } from "../../../../model/queries/ids.ts";
import { asciiText, bytesText } from "../../../../kit/support/text/byte-text.ts";
import { QueryError, type View } from "../inspected.ts";
import { packetTexts } from "./rpc-packets.ts";
import type { RowOf } from "../../../../model/queries/table.ts";
import type { MESSAGES, QUEUES } from "../../../../model/queries/tables.ts";
import { virqOf } from "./virq-sources.ts";
import { hex } from "../../../../kit/support/text/number-text.ts";
import { hint } from "../../../../kit/support/text/hint.ts";
import { way } from "../../../../kit/support/text/way-out.ts";

/** Queues and doorbells that are active. */
export function readQueues(view: View): RowOf<typeof QUEUES>[] {
  const queues = view.objects("msgqueue").map((queue): RowOf<typeof QUEUES> => {
    const from = end(view, queue, MsgqueueRight.Send), to = end(view, queue, MsgqueueRight.Receive);
    const id = view.object(queue);
    return {
      id,
      kind: "msgqueue",
      from,
      to,
      vm: both(from, to),
      count: queue.count,
      depth: queue.depth,
      size: queue.maximumSize,
      full: queue.isFull,
      ...moved(view, id, queue),
      not_full: queue.notFullThreshold,
      not_empty: queue.notEmptyThreshold,
      flags: null,
      enable: null,
      ack: null,
      send_virq: virqOf(view, queue.sendVirq),
      receive_virq: virqOf(view, queue.receiveVirq),
      obj: objId(queue.serial),
    };
  });
  const doorbells = view.objects("doorbell").map((doorbell): RowOf<typeof QUEUES> => {
    const from = end(view, doorbell, DoorbellRight.Send), to = end(view, doorbell, DoorbellRight.Receive);
    const id = view.object(doorbell);
    return {
      id,
      kind: "doorbell",
      from,
      to,
      vm: both(from, to),
      count: null,
      depth: null,
      size: null,
      full: false,
      ...moved(view, id, doorbell),
      not_full: null,
      not_empty: null,
      flags: hex(doorbell.flags),
      enable: hex(doorbell.enabled),
      ack: hex(doorbell.autoAck),
      send_virq: null,
      receive_virq: virqOf(view, doorbell.virq),
      obj: objId(doorbell.serial),
    };
  });
  return [...queues, ...doorbells];
}

/** Counts and rates of messages in and out. */
function moved(view: View, id: string, { sent, received }: Msgqueue | Doorbell) {
  return { sent: String(sent), received: String(received), rate: view.rate(`${id} sent`, sent) };
}

/**
 * The VM that holds a capability with a right; the Resource Manager, which makes all, only where no
 * other does.
 */
function end(view: View, object: HypervisorObject, right: number): string | null {
  return otherHolders(view, object, right)[0] ?? holdersOf(view, object, right)[0] ?? null;
}

function both(from: string | null, to: string | null): string[] {
  return [...new Set([from, to])].filter((vm) => vm !== null);
}

/** Whether a queue has the Resource Manager at one end. */
function isRpc(view: View, queue: HypervisorObject): boolean {
  const manager = view.vm(Vmid.ResourceManager);
  return end(view, queue, MsgqueueRight.Send) === manager || end(view, queue, MsgqueueRight.Receive) === manager;
}

export function readMessages(view: View, id: string): RowOf<typeof MESSAGES>[] {
  const wanted = withKind("mq", id);
  const queue = view.objects("msgqueue").find((one) => view.object(one) === wanted);
  if (!queue) {
    if (view.objects("doorbell").some((one) => view.object(one) === id)) throw new QueryError(`${id} is a ${Doorbell.name}: no messages`);
    throw new QueryError(`no queue called "${wanted}"`, way`list them with ${hint("queue ls")}`);
  }
  const texts = isRpc(view, queue) ? packetTexts(queue.messages) : undefined;
  return queue.messages.map((bytes, index) => ({
    id: formatId({ kind: "mq", number: queue.serial, position: index }),
    size: bytes.length,
    bytes: bytesText(bytes),
    ascii: asciiText(bytes),
    rpc: texts?.[index].rpc ?? null,
    fields: texts?.[index].fields ?? {},
  }));
}
