// The bytes of a message by field, headers included (docs/spec/resource-manager.md §1.2, §2).

import { RPC_MESSAGES } from "../messages/all.ts";
import { encodePackets, PacketType, RPC_HEADER_SIZE, type RpcMessage } from "../packet.ts";
import type { Span } from "../layout.ts";

/** Bytes of a message that belong together. */
export interface MessagePart {
  readonly name: string;
  /** Hexadecimal digits. */
  readonly hex: string;
  /** Whether they have no meaning: reserved bytes, padding. */
  readonly filler: boolean;
}

/** Fields of a packet's header. */
const HEADER: readonly Span[] = [
  { name: "header", from: 0, to: 2, filler: false },
  { name: "seq", from: 2, to: 4, filler: false },
  { name: "message", from: 4, to: RPC_HEADER_SIZE, filler: false },
];
const ERROR: Span = { name: "error", from: 0, to: 4, filler: false };

/** Parts of a message: the header of its first packet, and its payload by field. */
export function messageParts(message: RpcMessage): MessagePart[] {
  const { payload } = message;
  return [...partsOf(encodePackets(message)[0], HEADER), ...partsOf(payload, payloadSpans(message))];
}

function partsOf(bytes: Uint8Array, spans: readonly Span[]): MessagePart[] {
  return spans.map(({ name, from, to, filler }) => ({ name, hex: bytes.subarray(from, to).toHex(), filler }));
}

function payloadSpans({ type, id, payload }: RpcMessage): Span[] {
  const declared = RPC_MESSAGES.get(id);
  if (type === PacketType.Reply) {
    const rest = payload.subarray(ERROR.to);
    const inside = declared?.kind === "request" ? declared.reply.spans(rest) : restOf(rest);
    return [ERROR, ...inside.map((span) => ({ ...span, from: span.from + ERROR.to, to: span.to + ERROR.to }))];
  }
  return !declared ? restOf(payload) : (declared.kind === "request" ? declared.request : declared.layout).spans(payload);
}

function restOf(payload: Uint8Array): Span[] {
  return payload.length ? [{ name: "rest", from: 0, to: payload.length, filler: true }] : [];
}
