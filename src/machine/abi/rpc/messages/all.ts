// All RPC messages by id, and their text for traces (docs/spec/resource-manager.md §2).

import { rmErrorName } from "../errors.ts";
import type { Decoded, Fields, Layout } from "../layout.ts";
import { decodeReply, type RpcNotification, type RpcRequest } from "../message.ts";
import * as configuration from "./configuration.ts";
import * as console from "./console.ts";
import * as interrupts from "./interrupts.ts";
import * as lifecycle from "./lifecycle.ts";
import * as memory from "./memory.ts";
import * as platform from "./platform.ts";
import * as queries from "./queries.ts";
import * as resources from "./resources.ts";
import type { TraceFields } from "../../trace.ts";
import { PacketType, type RpcMessage } from "../packet.ts";

/** A declared message of either kind. */
type AnyMessage = RpcRequest<Fields, Fields> | RpcNotification<Fields>;

const exported: unknown[] = [lifecycle, configuration, queries, resources, memory, interrupts, console, platform].flatMap((group) =>
  Object.values<unknown>(group)
);

function isMessage(value: unknown): value is AnyMessage {
  return typeof value === "object" && value !== null && "kind" in value && (value.kind === "request" || value.kind === "notification");
}

/** Every declared message by its id. */
export const RPC_MESSAGES: ReadonlyMap<number, AnyMessage> = new Map(exported.filter(isMessage).map((message) => [message.id, message]));

/**
 * Ids with a name to which the Resource Manager replies UNIMPLEMENTED, as it does to ids without
 * one (§2): they have no handler in the recorded sources, or belong to other builds
 * (docs/spec/phones.md §D5).
 */
export const RPC_UNIMPLEMENTED: ReadonlyMap<number, string> = new Map([
  [0x0000_0001, "GET_IDENT"],
  [0x0000_0002, "GET_FEATURES"],
  [0x5600_0003, "VM_SET_NAME"],
  [0x5600_0007, "VM_SUSPEND"],
  [0x5600_0008, "VM_RESUME"],
  [0x5600_000c, "VM_SET_BOOT_CONTEXT_DRAFT"],
  [0x5600_0021, "VM_GET_HYP_CAPIDS"],
  [0x5600_0022, "VM_GET_HYP_IRQS"],
  [0x5600_0040, "MINIDUMP_GET_INFO"],
  [0x5600_0041, "MINIDUMP_REGISTER_RANGE"],
  [0x5600_0042, "MINIDUMP_DEREGISTER_SLOT"],
  [0x5600_0043, "MINIDUMP_GET_SLOT_NUMBER"],
  [0x5600_0055, "VM_IRQ_UNMAP"],
  [0x5600_00b1, "IPA_UNRESERVE"],
  [0x5600_0100, "GET_LOG_ADDRESS"],
]);

/** Names of the messages that parcels depend on, as traces have them. */
export const ParcelMessage = {
  Accept: memory.MEM_ACCEPT.name,
  Accepted: memory.MEM_ACCEPTED.name,
  Append: memory.MEM_APPEND.name,
  Donate: memory.MEM_DONATE.name,
  Lend: memory.MEM_LEND.name,
  Notify: memory.MEM_NOTIFY.name,
  Reclaim: memory.MEM_RECLAIM.name,
  Release: memory.MEM_RELEASE.name,
  Released: memory.MEM_RELEASED.name,
  Share: memory.MEM_SHARE.name,
  VmReset: lifecycle.VM_RESET.name,
  VmStart: lifecycle.VM_START.name,
} as const;

/** The name of a message id, or the id itself. */
export function rpcName(id: number): string {
  return RPC_MESSAGES.get(id)?.name ?? RPC_UNIMPLEMENTED.get(id) ?? `0x${id.toString(16).padStart(8, "0")}`;
}

/** Fields of a decoded payload as plain data for traces: bytes become hexadecimal digits. */
export function traceFields(value: object): TraceFields {
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, plain(field)]));
}

function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return value.toHex();
  if (Array.isArray(value)) return value.map(plain);
  return typeof value === "object" && value !== null ? traceFields(value) : value;
}

/** The content of a message, as traces have it. */
interface MessageContent {
  /** Of a reply: 0 is OK. */
  readonly error: number | undefined;
  readonly fields: TraceFields;
}

/** Decodes a message by its declaration; undefined if its id has none. */
export function messageContent({ type, id, payload }: RpcMessage): Decoded<MessageContent> | undefined {
  const declared = RPC_MESSAGES.get(id);
  if (declared === undefined) return undefined;
  if (declared.kind === "request" && type === PacketType.Reply) {
    const reply = decodeReply(declared, payload);
    return reply.ok ? { ok: true, value: { error: reply.value.error, fields: traceFields(reply.value.value ?? {}) } } : reply;
  }
  const decoded = (declared.kind === "request" ? declared.request : declared.layout as Layout<Fields>).decode(payload);
  return decoded.ok ? { ok: true, value: { error: undefined, fields: traceFields(decoded.value) } } : decoded;
}

/**
 * One line about a message: kind, name, sequence number and fields, or why its payload cannot be
 * read.
 */
export function printMessage(message: RpcMessage): string {
  const declared = RPC_MESSAGES.get(message.id);
  const kind = ["continuation", "request", "reply", "notification"][message.type];
  const head = `${kind} ${rpcName(message.id)} #${message.sequence}`;
  if (declared === undefined) return `${head} (${message.payload.length} bytes)`;
  if (declared.kind === "request" && message.type === PacketType.Reply) {
    const reply = decodeReply(declared, message.payload);
    if (!reply.ok) return `${head}: ${reply.problem}`;
    const { error, value } = reply.value;
    return [head, rmErrorName(error), value === undefined ? "" : declared.reply.print(value)].filter((part) => part !== "").join(" ");
  }
  return printPayload(head, declared.kind === "request" ? declared.request : declared.layout, message.payload);
}

function printPayload(head: string, declared: Layout<Fields>, payload: Uint8Array): string {
  const decoded = declared.decode(payload);
  return decoded.ok ? `${head} ${declared.print(decoded.value)}`.trimEnd() : `${head}: ${decoded.problem}`;
}
