// Messages between a client and a session's socket other than requests and events: greetings,
// refusals and losses.

import * as v from "valibot";
import { count, firstIssue, listOf, name, text } from "../../model/queries/fields.ts";
import { sessionEvent } from "../../model/protocol/events.ts";
import type { Request } from "../../model/protocol/protocol.ts";
import { REQUESTS } from "../../model/protocol/requests.ts";
import { KiB } from "../../kit/support/values/sizes.ts";
import { BadFrame } from "./wire.ts";
import { problem } from "../../model/queries/facts/problem.ts";

/** Version of the conversation, and the oldest that is still understood. */
export const PROTOCOL_VERSION = 5;
export const OLDEST_VERSION = 5;

/** Bytes of a token, and characters that it has in hexadecimal. */
export const TOKEN_BYTES = 32;
const TOKEN_MAX = 256;

/**
 * First message of a client. Fields that later versions add are ignored, so that versions can be
 * compared.
 */
const hello = v.object({
  kind: v.literal("hello"),
  /** The newest version that it speaks. */
  version: count(),
  /** The oldest that it speaks; the same where it says none. */
  oldest: v.optional(count()),
  /** The content of the token file beside the socket. */
  token: v.optional(text(TOKEN_MAX), ""),
  /** It will change nothing; requests that would are refused. */
  readOnly: v.boolean(),
  /** It wants console output and samples, not only answers. */
  follow: v.boolean(),
  /** The consoles, or VMs, whose output it wants; all if it names none. */
  consoles: v.optional(listOf(name)),
});
export type Hello = Readonly<v.InferOutput<typeof hello>>;

/** A session, for display. */
const sessionInfo = v.object({
  name: v.string(),
  /** The guest: a file, an image, `demo`. */
  what: v.string(),
  /** Its process. */
  pid: count(),
  /** When it began, ISO 8601. */
  started: v.string(),
  /** Clients that are attached. */
  clients: count(),
  /** How it ended, once it did. */
  ended: v.optional(problem),
  paused: v.boolean(),
  /** Folder of the console logs. */
  logs: v.optional(v.string()),
  /** Absolute path of its configuration. */
  configuration: v.optional(v.string()),
  /** Absolute path of the recording that it replays or writes. */
  recording: v.optional(v.string()),
  /** Its starter. */
  by: v.optional(v.string()),
});
export type SessionInfo = Readonly<v.InferOutput<typeof sessionInfo>>;

/** First message of a session, as every version has sent it. */
const greeting = v.object({ kind: v.literal("welcome"), version: count(), info: v.object({ name: v.string() }) });
export type Greeting = Readonly<v.InferOutput<typeof greeting>>;

/** Messages of a session, except greetings of another version. */
const serverMessage = v.variant("kind", [
  v.object({
    kind: v.literal("welcome"),
    version: count(),
    info: sessionInfo,
    /** Bytes of earlier console output that follow, by console. */
    kept: v.optional(v.record(v.string(), count()), {}),
    /** Of those, the bytes that came before the console's last input. */
    beforeInput: v.optional(v.record(v.string(), count()), {}),
  }),
  sessionEvent,
  /** A request that a read-only client may not make. */
  v.object({ kind: v.literal("refused"), request: v.string(), message: v.string() }),
  /** Console output that this client was too slow for. */
  v.object({ kind: v.literal("lost"), console: v.string(), bytes: count() }),
  /** The session ends this connection, and why. */
  v.object({ kind: v.literal("closed"), reason: v.string() }),
]);
export type ServerMessage = v.InferOutput<typeof serverMessage>;

/** Bytes of a frame that opens a conversation, which may name all consoles. */
const HELLO_FRAME = 64 * KiB;
/** Bytes of one that ends it. */
const SHORT_FRAME = 4 * KiB;

/** Every message that the socket takes, by kind: its schema, its right and its largest frame. */
const CLIENT_MESSAGES = {
  hello: { right: "reads", frame: HELLO_FRAME, schema: hello },
  ...REQUESTS,
  /** Ends the session: its machine, then the process. */
  down: { right: "changes", frame: SHORT_FRAME, schema: v.strictObject({ kind: v.literal("down") }) },
} as const;

type ClientKind = keyof typeof CLIENT_MESSAGES;

export type SocketMessage = { [K in ClientKind]: v.InferOutput<typeof CLIENT_MESSAGES[K]["schema"]> }[ClientKind];

/** A message that the hub takes: the process of a session also starts its machine. */
export type ClientMessage = SocketMessage | Request;

function isClientKind(kind: unknown): kind is ClientKind {
  return typeof kind === "string" && Object.hasOwn(CLIENT_MESSAGES, kind);
}

export const CLIENT_KINDS: readonly ClientKind[] = Object.keys(CLIENT_MESSAGES).filter(isClientKind);

/** Largest frame of a kind; undefined for an unknown kind. */
export function largestFrame(kind: string): number | undefined {
  return isClientKind(kind) ? CLIENT_MESSAGES[kind].frame : undefined;
}

/**
 * Whether a request changes the machine: read-only clients may not make it. One that does not say
 * otherwise does.
 */
export function changes({ kind }: ClientMessage): boolean {
  return !isClientKind(kind) || CLIENT_MESSAGES[kind].right !== "reads";
}

/**
 * The message of a client in a frame.
 * @throws BadFrame
 */
export function readClientMessage(value: unknown): SocketMessage {
  const kind = typeof value === "object" && value !== null && "kind" in value ? value.kind : undefined;
  if (!isClientKind(kind)) {
    throw new BadFrame(`no such kind of message: ${typeof kind === "string" ? JSON.stringify(kind.slice(0, SHOWN)) : typeof kind}`);
  }
  const { success, output, issues } = v.safeParse<v.GenericSchema<unknown, SocketMessage>>(CLIENT_MESSAGES[kind].schema, value);
  if (!success) throw new BadFrame(`${kind}: ${firstIssue(issues)}`);
  return output;
}

/** Characters of what a client sent that go into a reason. */
const SHOWN = 80;

/**
 * The message of a session in a frame; its greeting may be of another version.
 * @throws BadFrame
 */
export function readServerMessage(value: unknown): ServerMessage | Greeting {
  const greeted = v.safeParse(greeting, value);
  if (greeted.success && greeted.output.version !== PROTOCOL_VERSION) return greeted.output;
  const { success, output, issues } = v.safeParse(serverMessage, value);
  if (!success) throw new BadFrame(firstIssue(issues));
  return output;
}

/** The newest version that both sides speak; undefined without one. */
export function commonVersion({ version, oldest = version }: Pick<Hello, "version" | "oldest">): number | undefined {
  const common = Math.min(version, PROTOCOL_VERSION);
  return common >= Math.max(oldest, OLDEST_VERSION) ? common : undefined;
}
