// A session in another process, through its socket.

import { dirname } from "node:path";
import type { SessionClient } from "../worker/client.ts";
import {
  type ClientMessage,
  type Greeting,
  OLDEST_VERSION,
  PROTOCOL_VERSION,
  readServerMessage,
  type ServerMessage,
  type SessionInfo,
} from "./conversation.ts";
import { NAME_MAX } from "../../model/queries/fields.ts";
import { besideSocket } from "./places.ts";
import { BadFrame, encodeMessage, MessageReader } from "./wire.ts";
import { checkOwnSocket, NotOurs, readOwnText } from "../../kit/support/files/own-files.ts";
import { checkOwnFolder } from "../../kit/support/files/own-folders.ts";

/** No session answers there, or one says why it does not serve this client. */
export class NoSession extends Error {
  /** @param refused by a session: of another version, or with as many clients as it serves */
  constructor(message: string, readonly refused = false) {
    super(message);
  }
}

export interface RemoteSession extends SessionClient {
  /** As it was when the connection began. */
  readonly info: SessionInfo;
  /** Path of its socket. */
  readonly path: string;
  readonly readOnly: boolean;
  /** Resolves when the output that the consoles had shown before has come, or is lost. */
  readonly caughtUp: Promise<void>;
  /** Bytes of a console's earlier output that came before its last input; 0 without input. */
  beforeInput(console: string): number;
  /** Asks the session's process to end. */
  down(): void;
  /** Called once when the connection is gone without `close`; `reason` where one is known. */
  onGone: (reason?: string) => void;
  /** Called when a request was refused. */
  onRefused: (message: string) => void;
  /** Called when output of a console was lost. */
  onLost: (console: string, bytes: number) => void;
}

/** The role of a connection. */
interface RemoteOptions {
  readonly readOnly: boolean;
  /** Console output, samples and events, not only answers. */
  readonly follow: boolean;
  /** The consoles, or VMs, whose output it wants; all if it names none. */
  readonly consoles?: readonly string[];
}

/** How long a session may take to say who it is, ms. */
const PATIENCE = 5000;

/**
 * Connects to the socket at `path`.
 * @throws NoSession if no process listens, or one of another version
 */
export async function connectSession(path: string, options: RemoteOptions): Promise<RemoteSession> {
  let connection: Deno.UnixConn;
  let token = "";
  try {
    // Only we can have put a socket into a folder that is ours alone.
    checkOwnFolder(dirname(path));
    checkOwnSocket(path);
    token = readOwnText(besideSocket(path).token) ?? "";
    connection = await Deno.connect({ transport: "unix", path });
  } catch (error) {
    if (error instanceof NotOurs) throw new NoSession(error.message);
    if (error instanceof Deno.errors.NotFound) throw new NoSession(`no session at ${path}`);
    if (error instanceof Deno.errors.ConnectionRefused) throw new NoSession(`the session at ${path} has ended`);
    if (error instanceof Deno.errors.PermissionDenied) throw new NoSession(`the session at ${path} belongs to another user`);
    throw error;
  }
  const session = new Connection(connection, path, options.readOnly);
  const welcome = session.welcome.promise;
  const late = setTimeout(() => session.welcome.reject(new NoSession(`the session at ${path} does not answer`)), PATIENCE);
  // No console has a longer name.
  const consoles = options.consoles?.filter((name) => name.length <= NAME_MAX);
  session.write({ kind: "hello", version: PROTOCOL_VERSION, oldest: OLDEST_VERSION, token, ...options, consoles });
  try {
    await welcome;
  } catch (error) {
    session.close();
    throw error;
  } finally {
    clearTimeout(late);
  }
  return session;
}

/**
 * Information that the session at `path` reports about itself.
 * @throws NoSession if no process listens, or one of another version
 */
export async function sessionInfo(path: string): Promise<SessionInfo> {
  const session = await connectSession(path, { readOnly: true, follow: false });
  session.close();
  return session.info;
}

/** Whether a session listens at a path. */
export async function answers(path: string): Promise<boolean> {
  try {
    await sessionInfo(path);
    return true;
  } catch (error) {
    if (!(error instanceof NoSession)) throw error;
    return error.refused;
  }
}

class Connection implements RemoteSession {
  readonly welcome = Promise.withResolvers<void>();
  readonly #caughtUp = Promise.withResolvers<void>();
  /** Bytes of earlier output that are still to come, by console. */
  #kept = new Map<string, number>();
  #beforeInput = new Map<string, number>();
  onGone: (reason?: string) => void = () => {};
  onRefused: (message: string) => void = () => {};
  onLost: (console: string, bytes: number) => void = () => {};
  #info: SessionInfo | undefined;
  #listener: SessionClient["onEvent"] | undefined;
  /** Events that came before a listener was added. */
  #early: Parameters<SessionClient["onEvent"]>[0][] = [];
  /** Why the session has ended the connection, once it has said so. */
  #reason: string | undefined;
  #closed = false;
  #last: Promise<void> = Promise.resolve();

  constructor(readonly connection: Deno.UnixConn, readonly path: string, readonly readOnly: boolean) {
    this.#read();
  }

  get info(): SessionInfo {
    if (!this.#info) throw new Error("the session has not said who it is");
    return this.#info;
  }

  get caughtUp(): Promise<void> {
    return this.#caughtUp.promise;
  }

  get onEvent(): SessionClient["onEvent"] {
    return this.#listener ?? (() => {});
  }
  set onEvent(listener: SessionClient["onEvent"]) {
    this.#listener = listener;
    for (const event of this.#early.splice(0)) listener(event);
  }

  beforeInput(console: string): number {
    return this.#beforeInput.get(console) ?? 0;
  }

  send(request: ClientMessage): void {
    this.write(request);
  }

  down(): void {
    this.write({ kind: "down" });
  }

  write(message: ClientMessage): void {
    const bytes = encodeMessage(message);
    this.#last = this.#last.then(async () => {
      try {
        for (let at = 0; at < bytes.length && !this.#closed;) at += await this.connection.write(bytes.subarray(at));
      } catch {
        this.#gone(); // for whatever reason: the session no longer takes messages
      }
    });
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.connection.close();
  }

  async #read(): Promise<void> {
    const reader = new MessageReader();
    const buffer = new Uint8Array(65536);
    try {
      for (let count = await this.connection.read(buffer); count !== null; count = await this.connection.read(buffer)) {
        for (const value of reader.push(buffer.subarray(0, count))) this.#receive(readServerMessage(value));
      }
    } catch (error) {
      if (error instanceof BadFrame) this.#reason = `what it sent is not a message: ${error.message}`;
      else if (!this.#closed && !(error instanceof Deno.errors.ConnectionReset || error instanceof Deno.errors.BadResource)) throw error;
    }
    this.#gone();
  }

  #receive(message: ServerMessage | Greeting): void {
    switch (message.kind) {
      case "welcome": {
        const { version, info } = message;
        if (!("pid" in info)) {
          return this.welcome.reject(new NoSession(`session ${info.name} speaks version ${version}, this el2 ${PROTOCOL_VERSION}`, true));
        }
        this.#info = info;
        if ("kept" in message) {
          this.#kept = new Map(Object.entries(message.kept));
          this.#beforeInput = new Map(Object.entries(message.beforeInput));
        }
        this.#came();
        return this.welcome.resolve();
      }
      case "closed":
        this.#reason = message.reason;
        return;
      case "refused":
        return this.onRefused(message.message);
      case "lost":
        this.onLost(message.console, message.bytes);
        return this.#came(message.console, message.bytes);
      default:
        if (this.#listener) this.#listener(message);
        else this.#early.push(message);
        if (message.kind === "console") this.#came(message.console, message.bytes.length);
    }
  }

  /** Notes output that came or is lost: what a console had shown before comes first. */
  #came(console = "", bytes = 0): void {
    const left = (this.#kept.get(console) ?? 0) - bytes;
    if (left > 0) this.#kept.set(console, left);
    else this.#kept.delete(console);
    if (this.#kept.size === 0) this.#caughtUp.resolve();
  }

  #gone(): void {
    const reason = this.#reason;
    this.welcome.reject(new NoSession(reason ?? "the session closed the connection", reason !== undefined));
    if (this.#closed) return;
    this.close();
    this.onGone(this.#reason);
  }
}
