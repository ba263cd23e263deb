// The RPC transport between a VM and the Resource Manager (docs/spec/resource-manager.md §1.1 to
// §1.3): messages cut into packets of at most 240 bytes, each a message of a Gunyah message queue.

import { joined } from "../../../kit/support/values/bytes.ts";

/** Size of a packet's header and the most that a packet holds, in bytes. */
export const RPC_HEADER_SIZE = 8;
export const RPC_PACKET_SIZE = 240;
/** Payload bytes of every packet of a message but the last. */
export const RPC_FRAGMENT_SIZE = RPC_PACKET_SIZE - RPC_HEADER_SIZE;
/** The most continuation packets after the first. */
export const RPC_MAX_FRAGMENTS = 62;
/** The longest payload of one message, in bytes. */
export const RPC_MAX_PAYLOAD = RPC_FRAGMENT_SIZE * (RPC_MAX_FRAGMENTS + 1);

/** Byte 0 of every packet: API version 1 in the low, two header words in the high nibble. */
const VERSION_BYTE = 0x21;

/** Type of a packet: byte 1, bits 1:0. */
export const PacketType = { Continuation: 0, Request: 1, Reply: 2, Notification: 3 } as const;
export type PacketType = typeof PacketType[keyof typeof PacketType];

export interface RpcMessage {
  readonly type: PacketType;
  /**
   * 16 bits: chosen by the requester, copied by the reply, counted by the Resource Manager in
   * notifications.
   */
  readonly sequence: number;
  readonly id: number;
  /** The bytes after the headers, joined; the first word of a reply is the error. */
  readonly payload: Uint8Array;
}

export interface PacketHeader {
  readonly type: PacketType;
  /** Number of continuation packets of the whole message; the same in each of its packets. */
  readonly fragments: number;
  readonly sequence: number;
  readonly id: number;
}

/**
 * Cuts a message into its packets.
 * @throws RangeError when the payload exceeds `RPC_MAX_PAYLOAD`.
 */
export function encodePackets(message: RpcMessage): Uint8Array[] {
  const { type, sequence, id, payload } = message;
  if (payload.length > RPC_MAX_PAYLOAD) throw new RangeError(`a payload of ${payload.length} bytes exceeds ${RPC_MAX_PAYLOAD}`);
  const fragments = Math.max(Math.ceil(payload.length / RPC_FRAGMENT_SIZE) - 1, 0);
  return Array.from({ length: fragments + 1 }, (_, index) => {
    const part = payload.subarray(index * RPC_FRAGMENT_SIZE, (index + 1) * RPC_FRAGMENT_SIZE);
    const packet = new Uint8Array(RPC_HEADER_SIZE + part.length);
    const view = new DataView(packet.buffer);
    view.setUint8(0, VERSION_BYTE);
    view.setUint8(1, fragments << 2 | (index === 0 ? type : PacketType.Continuation));
    view.setUint16(2, sequence, true);
    view.setUint32(4, id, true);
    packet.set(part, RPC_HEADER_SIZE);
    return packet;
  });
}

/** The header of a packet, or why the bytes are not one. */
export function decodeHeader(packet: Uint8Array): { ok: true; header: PacketHeader } | { ok: false; problem: string } {
  if (packet.length < RPC_HEADER_SIZE) {
    return { ok: false, problem: `${packet.length} byte${packet.length === 1 ? "" : "s"}, the header has ${RPC_HEADER_SIZE}` };
  }
  if (packet[0] !== VERSION_BYTE) return { ok: false, problem: `version byte 0x${packet[0].toString(16)} is not 0x21` };
  const fragments = packet[1] >> 2;
  if (fragments > RPC_MAX_FRAGMENTS) return { ok: false, problem: `${fragments} fragments exceed ${RPC_MAX_FRAGMENTS}` };
  const view = new DataView(packet.buffer, packet.byteOffset, packet.length);
  // Two bits: every value is a type.
  const type = (packet[1] & 3) as PacketType;
  return { ok: true, header: { type, fragments, sequence: view.getUint16(2, true), id: view.getUint32(4, true) } };
}

/** The effect of a packet on the assembly. */
type Reassembly = { done: true; message: RpcMessage } | {
  done: false; /** Why the packet was dropped, if it was. */
  dropped?: string;
};

/** State of a `Reassembler`: plain data. */
export interface PartialMessage {
  header: PacketHeader;
  received: Uint8Array[];
}

/**
 * Joins packets to messages by the Resource Manager's rules (§1.3): a new message discards an
 * unfinished one, a continuation that does not belong to the unfinished message is dropped and
 * leaves it as it is.
 */
export class Reassembler {
  /** The unfinished message, for snapshots. */
  partial: PartialMessage | undefined;

  /** Takes the next packet of the queue. Its bytes are copied. */
  accept(packet: Uint8Array): Reassembly {
    const decoded = decodeHeader(packet);
    if (!decoded.ok) return { done: false, dropped: decoded.problem };
    const { header } = decoded;
    const part = packet.slice(RPC_HEADER_SIZE);
    let partial = this.partial;
    if (header.type === PacketType.Continuation) {
      if (partial === undefined) return { done: false, dropped: "a continuation, but no message has begun" };
      if (header.sequence !== partial.header.sequence || header.id !== partial.header.id || header.fragments !== partial.header.fragments) {
        return { done: false, dropped: "a continuation of another message" };
      }
      partial.received.push(part);
    } else {
      this.partial = partial = { header, received: [part] };
    }
    if (partial.received.length <= partial.header.fragments) return { done: false };
    this.partial = undefined;
    const { type, sequence, id } = partial.header;
    return { done: true, message: { type, sequence, id, payload: joined(partial.received) } };
  }
}
