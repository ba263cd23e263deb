// Messages of queues as packets of a capture. Their link type is DLT_USER0; each has this header of
// ours in front (docs/captures.md).

import { describePackets } from "../abi/rpc/text/describe.ts";
import { interfaceBlock, LinkType, packetBlock, sectionHeader } from "../formats/pcapng.ts";
import { VERSION } from "../support/version.ts";
import type { EventRow } from "../queries/event-row.ts";

/** The header in front of a message: little-endian; offset and bytes of each field. */
const MESSAGE_HEADER = {
  /** 1. */
  version: { offset: 0, size: 1 },
  /** `MessageType`. */
  type: { offset: 1, size: 1 },
  /** Bytes before the message. */
  length: { offset: 2, size: 2 },
  /** VMIDs; 0xffff where nobody is known. */
  from: { offset: 4, size: 2 },
  to: { offset: 6, size: 2 },
  /** Number of the queue: `mq:N`. */
  queue: { offset: 8, size: 4 },
  /** Bit 0: sent with the push flag. */
  flags: { offset: 12, size: 4 },
} as const;
const HEADER_SIZE = 16;
const NOBODY = 0xffff;

/** What a message is: the index of its interface in the capture. */
const MessageType = { Queue: 0, Rpc: 1 } as const;

/** A queue's two ends. */
export interface QueueEnds {
  /** `vm:NAME`; null where nobody holds that end. */
  readonly from: string | null;
  readonly to: string | null;
}

/** The first blocks of a capture. */
export function captureStart(): Uint8Array[] {
  const linkType = LinkType.User0;
  return [
    sectionHeader(`el2 ${VERSION}`),
    interfaceBlock({ name: "msgqueue", description: "message queues between VMs", linkType }),
    interfaceBlock({ name: "rm-rpc", description: "message queues of the resource manager: RM RPC", linkType }),
  ];
}

/** Whether an event is a message on its way into a queue. */
export const isMessage = ({ kind, name }: EventRow): boolean => kind === "msg" && name === "send";

/** The packet of an event; undefined for one that is no message on its way into a queue. */
export function messagePacket(
  event: EventRow,
  queues: ReadonlyMap<string, QueueEnds>,
  vmids: ReadonlyMap<string, number>,
): Uint8Array | undefined {
  if (!isMessage(event)) return undefined;
  const { t, fields } = event;
  const queue = String(fields.queue), message = Uint8Array.fromHex(String(fields.bytes));
  const { from = null, to = null } = queues.get(queue) ?? {};
  const rpc = from === RESOURCE_MANAGER || to === RESOURCE_MANAGER;
  const vmid = (vm: string | null) => vm === null ? NOBODY : vmids.get(vm.slice("vm:".length)) ?? NOBODY;
  const bytes = new Uint8Array(HEADER_SIZE + message.length), view = new DataView(bytes.buffer);
  const put = (field: keyof typeof MESSAGE_HEADER, value: number) => {
    const { offset, size } = MESSAGE_HEADER[field];
    for (let byte = 0; byte < size; byte++) view.setUint8(offset + byte, value >>> 8 * byte & 0xff);
  };
  put("version", 1);
  put("type", rpc ? MessageType.Rpc : MessageType.Queue);
  put("length", HEADER_SIZE);
  put("from", vmid(from));
  put("to", vmid(to));
  put("queue", Number(queue.replace(/^mq:/, "")));
  put("flags", fields.push === true ? 1 : 0);
  bytes.set(message, HEADER_SIZE);
  const way = `${queue} ${from ?? "?"} -> ${to ?? "?"}`;
  return packetBlock({
    interface: rpc ? MessageType.Rpc : MessageType.Queue,
    time: Number(t),
    bytes,
    comment: rpc ? `${way}\n${describePackets(message).join("\n")}` : way,
  });
}

const RESOURCE_MANAGER = "vm:rm";
