// Decodes packets between a VM and the Resource Manager while they are in a queue: their fields as
// requests in `rpc.ls` have them.

import { rmErrorName } from "../../../../machine/abi/rpc/errors.ts";
import { messageContent, rpcName } from "../../../../machine/abi/rpc/messages/all.ts";
import { decodeHeader, type PacketHeader, Reassembler, type RpcMessage } from "../../../../machine/abi/rpc/packet.ts";
import { plain } from "./read-trace.ts";
import type { Json } from "../../../../model/queries/table.ts";
import { hex } from "../../../../kit/support/text/number-text.ts";

/** A decoded packet. */
interface PacketText {
  /** Kind, name and sequence number; a reply's result; or the defect. */
  readonly rpc: string;
  /** Fields of the message that ends with this packet. */
  readonly fields: Json;
}

const KINDS = ["continuation", "request", "reply", "notification"] as const;

/** The decoded packets of a queue, oldest first. */
export function packetTexts(packets: readonly Uint8Array[]): PacketText[] {
  const reassembler = new Reassembler();
  return packets.map((packet) => {
    const decoded = decodeHeader(packet);
    if (!decoded.ok) return { rpc: `not an RM RPC packet: ${decoded.problem}`, fields: {} };
    const head = headText(decoded.header);
    const taken = reassembler.accept(packet);
    if (taken.done) return messageText(head, taken.message);
    return { rpc: taken.dropped === undefined ? `${head}, more packets follow` : `${head}: ${taken.dropped}`, fields: {} };
  });
}

function headText({ type, fragments, sequence, id }: PacketHeader): string {
  const packets = fragments === 0 ? "" : ` of ${fragments + 1} packets`;
  return `${KINDS[type]} ${rpcName(id)} ${hex(sequence)}${packets}`;
}

function messageText(head: string, message: RpcMessage): PacketText {
  const content = messageContent(message);
  if (content === undefined) return { rpc: head, fields: {} };
  if (!content.ok) return { rpc: `${head}: ${content.problem}`, fields: {} };
  const { error, fields } = content.value;
  const result = error === undefined ? "" : error === 0 ? " ok" : ` ${hex(error, 2)} ${rmErrorName(error)}`;
  return { rpc: `${head}${result}`, fields: plain(fields) };
}
