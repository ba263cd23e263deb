// Packets and payloads field by field, for `el2 rpc decode` and captures: offset, type, name and
// value of each, up to the end of the bytes.

import { rmErrorName } from "../errors.ts";
import type { Shape, Shapes } from "../layout.ts";
import { RPC_MESSAGES, rpcName } from "../messages/all.ts";
import { decodeHeader, PacketType, RPC_HEADER_SIZE, RPC_PACKET_SIZE } from "../packet.ts";
import { fromLittleEndian, joined } from "../../../../kit/support/values/bytes.ts";

/** A field that was found in a payload. */
interface DescribedField {
  /** Offset in the payload, bytes. */
  readonly offset: number;
  /** `u32`, `bytes[16]`, `count u16`, … */
  readonly type: string;
  /** `sgl[0].address`. */
  readonly name: string;
  /** Text of the value; of a field that the payload is too short for, that it is missing. */
  readonly value: string;
}

/** Name of a field's type, for tables. */
export function shapeName(shape: Shape): string {
  switch (shape.kind) {
    case "unsigned":
      return `u${shape.size * 8}`;
    case "reserved":
      return shape.size === 1 ? "u8" : shape.size === 2 ? "u16" : `u8[${shape.size}]`;
    case "bytes":
      return `u8[${shape.size}]`;
    case "rest":
      return "u8[..]";
    case "counted":
      return "u16 + u8[]";
    case "list":
      return `u${shape.counter * 8} + entry[]`;
    case "when":
      return shapeName(shape.shape);
  }
}

/** Reads fields until the bytes end. */
class Walker {
  readonly fields: DescribedField[] = [];
  #at: number;

  constructor(readonly payload: Uint8Array, start: number) {
    this.#at = start;
  }

  /** False when the payload ended. */
  walk(shapes: Shapes, prefix = ""): boolean {
    return Object.entries(shapes).every(([name, shape]) => {
      if (shape.kind !== "when") return this.#field(prefix + name, shape);
      const selector = this.fields.findLast((field) => field.name === prefix + shape.selector);
      return !shape.values.includes(Number(selector?.value)) || this.#field(prefix + name, shape.shape);
    });
  }

  /** The bytes after the last field. */
  rest(): void {
    if (this.#at < this.payload.length) this.#take("u8[..]", "(after the last field)", this.payload.length - this.#at);
  }

  #field(name: string, shape: Shape): boolean {
    const type = shapeName(shape);
    switch (shape.kind) {
      case "unsigned":
        return this.#number(type, name, shape.size) !== undefined;
      case "reserved":
        return this.#take(type, "(reserved)", shape.size);
      case "bytes":
        return this.#take(type, name, shape.size);
      case "rest":
        return this.#take(type, name, this.payload.length - this.#at);
      case "counted": {
        const size = this.#number("u16", `${name}.length`, 2);
        if (size === undefined || (shape.gap > 0 && !this.#take("u16", "(reserved)", shape.gap))) return false;
        const padding = shape.padded ? (4 - size % 4) % 4 : 0;
        return this.#take(`u8[${size}]`, name, size) && (padding === 0 || this.#take(`u8[${padding}]`, "(padding)", padding));
      }
      case "list":
        return this.#list(name, shape);
      case "when":
        throw new Error("a field that depends on another can only be in a payload or entry");
    }
  }

  #list(name: string, shape: Extract<Shape, { kind: "list" }>): boolean {
    // A list of this kind may be missing at the end.
    if (shape.rpcList !== undefined && this.#at === this.payload.length) return true;
    const count = this.#number(`u${shape.counter * 8}`, `${name}.count`, shape.counter);
    if (count === undefined) return false;
    const annotated = shape.rpcList === undefined ||
      this.#number("u16", shape.rpcList.annotated ? `${name}.annotation` : "(reserved)", 2) !== undefined;
    if (!annotated) return false;
    for (let index = 0; index < count; index++) if (!this.walk(shape.entry, `${name}[${index}].`)) return false;
    return true;
  }

  #number(type: string, name: string, size: 1 | 2 | 4 | 8): number | undefined {
    const bytes = this.payload.subarray(this.#at, this.#at + size);
    if (bytes.length < size) return this.#missing(type, name);
    const value = fromLittleEndian(bytes);
    this.#add(type, name, value < 10n ? `${value}` : `0x${value.toString(16)}`, size);
    return Number(value);
  }

  #take(type: string, name: string, size: number): boolean {
    const bytes = this.payload.subarray(this.#at, this.#at + size);
    if (bytes.length < size) return this.#missing(type, name) !== undefined;
    this.#add(type, name, bytes.toHex(), size);
    return true;
  }

  #add(type: string, name: string, value: string, size: number): void {
    this.fields.push({ offset: this.#at, type, name, value });
    this.#at += size;
  }

  #missing(type: string, name: string): undefined {
    this.fields.push({ offset: this.#at, type, name, value: "missing" });
    return undefined;
  }
}

/**
 * Fields of a payload by its message's layout; those of a reply begin after the error word. One
 * field of bytes when the message is not declared.
 */
export function describePayload(type: PacketType, id: number, payload: Uint8Array): DescribedField[] {
  const declared = RPC_MESSAGES.get(id);
  const reply = type === PacketType.Reply;
  const walker = new Walker(payload, reply ? 4 : 0);
  const error = reply && payload.length >= 4 ? new DataView(payload.buffer, payload.byteOffset, 4).getUint32(0, true) : undefined;
  if (reply) walker.fields.push({ offset: 0, type: "u32", name: "error", value: error === undefined ? "missing" : rmErrorName(error) });
  if (declared?.kind === "notification") walker.walk(declared.layout.shapes);
  else if (declared !== undefined && !reply) walker.walk(declared.request.shapes);
  else if (declared !== undefined && error === 0 && payload.length > 4) walker.walk(declared.reply.shapes);
  walker.rest();
  return walker.fields;
}

interface DescribedPacket {
  readonly type: "continuation" | "request" | "reply" | "notification";
  /** Name of the message, and its id. */
  readonly msg: string;
  readonly id: number;
  readonly sequence: number;
  /** Packets of the message that follow. */
  readonly continuations: number;
  readonly bytes: number;
}

/** A message, up to the end of its bytes. */
interface DescribedMessage {
  readonly packets: readonly DescribedPacket[];
  /** Of its whole payload; none if a packet is malformed. */
  readonly fields: readonly DescribedField[];
  /** Why the packets are not a message. */
  readonly problem: string | undefined;
}

/**
 * A message as it lies in a queue: its packets one after the other, all but the last with 240
 * bytes.
 */
export function describeMessage(bytes: Uint8Array): DescribedMessage {
  const packets: DescribedPacket[] = [];
  const parts: Uint8Array[] = [];
  const first = decodeHeader(bytes.subarray(0, RPC_PACKET_SIZE));
  if (!first.ok) return { packets, fields: [], problem: first.problem };
  for (let at = 0; at < bytes.length || at === 0; at += RPC_PACKET_SIZE) {
    const packet = bytes.subarray(at, at + RPC_PACKET_SIZE);
    const decoded = decodeHeader(packet);
    if (!decoded.ok) return { packets, fields: [], problem: decoded.problem };
    const { type, fragments: continuations, sequence, id } = decoded.header;
    const kind = (["continuation", "request", "reply", "notification"] as const)[type];
    packets.push({ type: kind, msg: rpcName(id), id, sequence, continuations, bytes: packet.length });
    parts.push(packet.subarray(RPC_HEADER_SIZE));
  }
  return { packets, fields: describePayload(first.header.type, first.header.id, joined(parts)), problem: undefined };
}

/** The same as lines for display. */
export function describePackets(bytes: Uint8Array): string[] {
  const { packets, fields, problem } = describeMessage(bytes);
  const lines = packets.map(({ type, msg, id, sequence, continuations, bytes }) => {
    const more = continuations === 0 ? "" : `, ${continuations} continuations`;
    return `${type} ${msg} 0x${id.toString(16).padStart(8, "0")} #0x${sequence.toString(16)}${more}, ${bytes} bytes`;
  });
  if (problem !== undefined) return [...lines, `not an RM RPC packet: ${problem}`];
  return [
    ...lines,
    ...fields.map(({ offset, type, name, value }) => `${String(offset).padStart(5)} ${type.padEnd(10)} ${name.padEnd(24)} ${value}`),
  ];
}
