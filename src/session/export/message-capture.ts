// Messages of queues as packets of a capture. Their link type is DLT_USER0; each has this header of
// ours in front (docs/captures.md).

import { describePackets } from "../../machine/abi/rpc/text/describe.ts";
import { interfaceBlock, LinkType, packetBlock, sectionHeader } from "../../kit/formats/pcapng.ts";
import { VERSION } from "../../kit/support/version.ts";
import { nameOf, RESOURCE_MANAGER, vmId } from "../../model/queries/ids.ts";
import type { EventRow } from "../../model/queries/event-row.ts";

/** The header in front of a message: little-endian; offset and bytes of each field. */
export const MESSAGE_HEADER = {
  /** 1. */
  version: { offset: 0, size: 1 },
  /** `MessageType`. */
  type: { offset: 1, size: 1 },
  /** Bytes before the message. */
  length: { offset: 2, size: 2 },
  /** VMIDs; 0xffff for an unknown VM. */
  from: { offset: 4, size: 2 },
  to: { offset: 6, size: 2 },
  /** Number of the queue or doorbell: `mq:N`, `db:N`. */
  queue: { offset: 8, size: 4 },
  /** Bit 0: sent with the push flag. */
  flags: { offset: 12, size: 4 },
} as const;
/** Bytes of the header. */
export const MESSAGE_HEADER_SIZE = 16;
const NOBODY = 0xffff;

/** Type of a message: the index of its interface in the capture. */
export const MessageType = { Queue: 0, Rpc: 1, Doorbell: 2 } as const;

/** A queue's two ends. */
export interface QueueEnds {
  /** `vm:NAME`; null if no VM holds that end. */
  readonly from: string | null;
  readonly to: string | null;
}

/** The first blocks of a capture. */
export function captureStart(): Uint8Array[] {
  const linkType = LinkType.User0;
  return [
    sectionHeader(`el2 ${VERSION}`),
    interfaceBlock({ name: "msgqueue", description: "message queues between VMs", linkType }),
    interfaceBlock({ name: "rm-rpc", description: "message queues of the Resource Manager: RM RPC", linkType }),
    interfaceBlock({ name: "doorbell", description: "doorbells between VMs", linkType }),
  ];
}

/** Kinds of the events that are messages, and the filter that has them alone. */
export const MESSAGE_KINDS = ["msg", "hvc"] as const;
export const MESSAGE_FILTER = "kind=msg name=send | kind=hvc name=doorbell_send res=OK";

/** Whether an event is a message on its way into a queue, or a ring of a doorbell. */
const isMessage = (event: EventRow): boolean => event.kind === "msg" && event.name === "send" || isRing(event);

const isRing = ({ kind, name, res }: EventRow): boolean => kind === "hvc" && name === "doorbell_send" && res === "OK";

/** The packet of an event; undefined for an event that is not a message. */
export function messagePacket(
  event: EventRow,
  queues: ReadonlyMap<string, QueueEnds>,
  vmids: ReadonlyMap<string, number>,
): Uint8Array | undefined {
  if (!isMessage(event)) return undefined;
  const { t, fields } = event;
  const ring = isRing(event);
  const queue = String(ring ? fields.doorbell : fields.queue);
  const message = ring ? flagBytes(BigInt(String(fields.new_flags))) : Uint8Array.fromHex(String(fields.bytes));
  const { from = null, to = null } = queues.get(queue) ?? {};
  const rpc = !ring && (from === MANAGER || to === MANAGER);
  const type = ring ? MessageType.Doorbell : rpc ? MessageType.Rpc : MessageType.Queue;
  const vmid = (vm: string | null) => vm === null ? NOBODY : vmids.get(nameOf(vm)) ?? NOBODY;
  const bytes = new Uint8Array(MESSAGE_HEADER_SIZE + message.length), view = new DataView(bytes.buffer);
  const put = (field: keyof typeof MESSAGE_HEADER, value: number) => {
    const { offset, size } = MESSAGE_HEADER[field];
    for (let byte = 0; byte < size; byte++) view.setUint8(offset + byte, value >>> 8 * byte & 0xff);
  };
  put("version", 1);
  put("type", type);
  put("length", MESSAGE_HEADER_SIZE);
  put("from", vmid(from));
  put("to", vmid(to));
  put("queue", Number(nameOf(queue)));
  put("flags", fields.push === true ? 1 : 0);
  bytes.set(message, MESSAGE_HEADER_SIZE);
  const way = `${queue} ${from ?? "?"} -> ${to ?? "?"}`;
  return packetBlock({
    interface: type,
    time: Number(t),
    bytes,
    comment: rpc ? `${way}\n${describePackets(message).join("\n")}` : way,
  });
}

/** The flags of a doorbell, little-endian. */
function flagBytes(flags: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, flags, true);
  return bytes;
}

const MANAGER = vmId(RESOURCE_MANAGER);
