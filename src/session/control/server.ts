// The socket of a session: accepts clients of the same user, each with its own connection to the
// hub. Mode 0600, in a folder of the user's; one process owns it, as long as it lives.

import { dirname } from "node:path";
import { node } from "../../kit/support/node-modules.ts";
import {
  commonVersion,
  type Greeting,
  type Hello,
  largestFrame,
  PROTOCOL_VERSION,
  readClientMessage,
  type ServerMessage,
  TOKEN_BYTES,
} from "./conversation.ts";
import type { ClientOptions, SessionHub } from "./hub.ts";
import { takeOwnership } from "./ownership.ts";
import { type BesideSocket, besideSocket } from "./places.ts";
import { BadFrame, encodeMessage, MessageReader } from "./wire.ts";
import { KiB, MiB } from "../../kit/support/values/sizes.ts";
import { warn } from "../../kit/support/warn.ts";
import { lstatIfThere, NotOurs, removeIfThere, takeLock, writeOwnText } from "../../kit/support/files/own-files.ts";
import { checkOwnFolder, ownFolder } from "../../kit/support/files/own-folders.ts";
import { isOfSystem } from "../../kit/support/system-error.ts";
import { OwnListener } from "../../kit/support/files/own-socket.ts";

/**
 * Bytes that may wait for a client that does not read; beyond them, optional messages are dropped.
 */
const WAITING = 256 * 1024;
/** Bytes beyond which no more is read from such a client, and beyond which it is let go. */
const FULL = 4 * MiB;
/** Limit on the bytes kept for all clients: unread answers, and frames that are not whole. */
const KEPT = 512 * MiB;
/** Bytes read from a client at once. */
const READ = 64 * KiB;
/** Messages of one client per interval (ms); more have to wait. */
const RATE = 4000;
const RATE_TIME = 100;
/** Clients at a time. */
const CLIENTS = 64;
/** Further connections that are refused with a reason; others wait to be accepted. */
const PARTING = 16;
/** After an accept that failed, ms. */
const ACCEPT_AGAIN = 500;
/** How long a client may take for its first message, and to read why it is let go, ms. */
const HELLO_TIME = 10_000;
const PARTING_TIME = 1000;

/** Time (ms) between two checks of whether the session's folder still exists. */
const LOOK = 2000;

/** Another process owns this session's name. */
export class SocketInUse extends Error {}

/** Writes this process into the lock of a session's name. */
function writeOwner(lock: Deno.FsFile): void {
  lock.truncateSync();
  lock.writeSync(new TextEncoder().encode(`${Deno.pid}\n`));
}

/** A listening socket. */
export class SessionServer {
  readonly #listener: OwnListener;
  readonly #connections = new Set<Writer>();
  /** For reading, those of clients that have gone: V8 would collect them late. */
  readonly #buffers: Uint8Array<ArrayBuffer>[] = [];
  readonly #kept: Kept;
  /** Says that a connection has ended. */
  #left: () => void = () => {};
  readonly #beside: BesideSocket;
  readonly #token: Uint8Array;

  readonly #looking: ReturnType<typeof setInterval>;
  #lock: Deno.FsFile;

  private constructor(readonly hub: SessionHub, readonly path: string, lock: Deno.FsFile, most: number) {
    this.#lock = lock;
    this.#kept = new Kept(most);
    this.#beside = besideSocket(path);
    const token = crypto.getRandomValues(new Uint8Array(TOKEN_BYTES)).toHex();
    this.#token = new TextEncoder().encode(token);
    writeOwnText(this.#beside.token, token);
    this.#listener = new OwnListener(path);
    this.#accept();
    this.#looking = setInterval(() => this.#keepName(), LOOK);
    Deno.unrefTimer(this.#looking);
  }

  /**
   * Listens at a path whose lock is free: a socket that is already there was left by a process that
   * has ended.
   * @param most bytes that all clients may have the process keep
   * @throws SocketInUse if a living process owns it; NotOurs
   */
  static async listen(hub: SessionHub, path: string, most = KEPT): Promise<SessionServer> {
    checkOwnFolder(dirname(path));
    const lock = await takeOwnership(path);
    if (!lock) throw new SocketInUse(`another process owns ${path}`);
    try {
      writeOwner(lock);
      removeIfThere(path);
      return new SessionServer(hub, path, lock, most);
    } catch (error) {
      lock.close();
      throw error;
    }
  }

  /**
   * Takes the name again if the folder was removed, as a logout does with $XDG_RUNTIME_DIR:
   * `el2 ls` finds the process by its lock. It no longer has the right to listen there.
   */
  #keepName(): void {
    const { lock: file } = this.#beside, folder = dirname(file);
    try {
      if (lstatIfThere(file) || !lstatIfThere(dirname(folder))) return;
      ownFolder(folder);
      const lock = takeLock(file);
      if (lock === undefined) return;
      writeOwner(lock);
      this.#lock.close();
      this.#lock = lock;
    } catch (error) {
      // The folder cannot be ours now; later it may.
      if (!(error instanceof NotOurs) && !isOfSystem(error)) throw error;
    }
  }

  /** Ends all connections, and takes the socket away. */
  close(): void {
    clearInterval(this.#looking);
    this.#listener.close();
    for (const connection of this.#connections) connection.end();
    this.#connections.clear();
    // Where the folder was removed, another session may have this name by now.
    if (lstatIfThere(this.#beside.lock)?.ino === this.#lock.statSync().ino) {
      removeIfThere(this.#beside.token);
      // Windows removes no open file.
      if (Deno.build.os !== "windows") removeIfThere(this.#beside.lock);
    }
    this.#lock.close();
  }

  async #accept(): Promise<void> {
    for (let connection = await this.#next(); connection; connection = await this.#next()) {
      const writer = new Writer(connection, this.#kept);
      this.#connections.add(writer);
      const served = this.#connections.size > CLIENTS ? this.#refuse(connection, writer) : this.#serve(connection, writer);
      served.then(() => writer.settled()).finally(() => {
        this.#connections.delete(writer);
        writer.end();
        this.#left();
      });
    }
  }

  /**
   * The next connection, once there is room for it; undefined once the server has closed. More
   * would take the files that the process may open, and with them the session.
   */
  async #next(): Promise<Deno.Conn | undefined> {
    for (let told = false;; told = true) {
      while (this.#connections.size >= CLIENTS + PARTING) await new Promise<void>((resolve) => this.#left = resolve);
      try {
        return await this.#listener.accept();
      } catch (error) {
        if (error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted) return undefined;
        if (!told) warn(`no client can connect for now: ${error instanceof Error ? error.message : error}`);
        await new Promise((resolve) => setTimeout(resolve, ACCEPT_AGAIN));
      }
    }
  }

  /**
   * Tells a client why it is not served, and reads until it has heard: a connection that is closed
   * with something unread is reset, and the reason lost.
   */
  async #refuse(connection: Deno.Conn, writer: Writer): Promise<void> {
    writer.send({ kind: "closed", reason: `${CLIENTS} clients are attached to this session, which serves no more; end one of them` });
    await writer.settled();
    const late = setTimeout(() => writer.end(), PARTING_TIME), buffer = new Uint8Array(KiB);
    try {
      await connection.closeWrite();
      while (await connection.read(buffer) !== null);
    } catch (error) {
      if (!isGone(error)) warn(`a client that is refused cannot be told: ${error instanceof Error ? error.message : error}`);
    } finally {
      clearTimeout(late);
    }
  }

  /** Talks with one client until it disconnects, or sends something that is not a message. */
  async #serve(connection: Deno.Conn, writer: Writer): Promise<void> {
    let client: ReturnType<SessionHub["join"]> | undefined;
    // Without the token a client has no more than a greeting kept.
    const reader = new MessageReader((kind) => client || kind === "hello" ? largestFrame(kind) : undefined);
    const late = setTimeout(() => !client && writer.end(), HELLO_TIME);
    const pace = new Pace();
    const buffer = this.#buffers.pop() ?? new Uint8Array(READ);
    try {
      for (let count = await connection.read(buffer); count !== null; count = await connection.read(buffer)) {
        for (const value of reader.push(buffer.subarray(0, count))) {
          const message = readClientMessage(value);
          if (client) client.send(message);
          else if (message.kind !== "hello") throw new BadFrame("the first message is hello");
          else if (this.#welcome(message, writer)) {
            client = this.hub.join(optionsOf(message), (event) => writer.send(event));
          } else return;
          await pace.message();
        }
        writer.received(reader.held);
        await writer.below(FULL);
      }
    } catch (error) {
      if (error instanceof BadFrame) writer.send({ kind: "closed", reason: error.message });
      else if (!isGone(error)) {
        // A bug of el2 costs this client its connection, but does not end the session.
        warn(`a client's connection ended: ${error instanceof Error ? error.stack : error}`);
        writer.send({ kind: "closed", reason: "el2 has failed to serve this connection; its log says more" });
      }
    } finally {
      clearTimeout(late);
      writer.received(0);
      client?.leave();
      this.#buffers.push(buffer);
    }
  }

  /** Answers a client's first message. False if it may not come in. */
  #welcome(hello: Hello, writer: Writer): boolean {
    const { info } = this.hub;
    const version = commonVersion(hello);
    if (version === undefined) {
      writer.send({ kind: "welcome", version: PROTOCOL_VERSION, info: { name: info.name } });
      return false;
    }
    const token = new TextEncoder().encode(hello.token);
    if (token.length !== this.#token.length || !node.crypto.timingSafeEqual(token, this.#token)) {
      writer.send({ kind: "closed", reason: `the token is not that of ${this.#beside.token}` });
      return false;
    }
    const options = optionsOf(hello);
    writer.send({ kind: "welcome", version, info, kept: this.hub.kept(options), beforeInput: this.hub.beforeInput(options) });
    return true;
  }
}

/** The role that a client asks for. */
function optionsOf({ readOnly, follow, consoles }: Hello): ClientOptions {
  return { readOnly, follow, consoles, patient: false };
}

/** Makes a client wait that sends more than it may. */
class Pace {
  #since = performance.now();
  #count = 0;

  async message(): Promise<void> {
    if (++this.#count < RATE) return;
    const left = this.#since + RATE_TIME - performance.now();
    if (left > 0) await new Promise((resolve) => setTimeout(resolve, left));
    this.#since = performance.now();
    this.#count = 0;
  }
}

/** Memory that clients cost, together: the one that costs most is ended when it is too much. */
class Kept {
  readonly #bytes = new Map<Writer, number>();
  #all = 0;

  constructor(readonly most: number) {}

  /** Notes what a client costs now. */
  note(writer: Writer, bytes: number): void {
    this.#all += bytes - (this.#bytes.get(writer) ?? 0);
    if (bytes > 0) this.#bytes.set(writer, bytes);
    else this.#bytes.delete(writer);
    if (this.#all <= this.most) return;
    const [[largest]] = [...this.#bytes].sort(([, a], [, b]) => b - a);
    largest.end();
  }
}

/** Sends messages in order, one write at a time. */
class Writer {
  /** The newest sample of the machine, which a lagging client gets later. */
  #sample: ServerMessage | undefined;
  #last: Promise<void> = Promise.resolve();
  #waiting = 0;
  /** Bytes of a frame that is still arriving. */
  #arriving = 0;
  #gone = false;

  constructor(readonly connection: Deno.Conn, readonly kept: Kept) {}

  send(message: ServerMessage | Greeting): void {
    const spare = message.kind === "sample" || message.kind === "events";
    if (this.#gone) return;
    if (spare && this.#waiting > WAITING) {
      if (message.kind === "sample") this.#sample = message;
      return;
    }
    if (message.kind === "sample") this.#sample = undefined;
    const bytes = encodeMessage(message);
    this.#wait(bytes.length);
    this.#last = this.#last.then(async () => {
      if (this.#gone) return;
      try {
        for (let at = 0; at < bytes.length;) at += await this.connection.write(bytes.subarray(at));
      } catch (error) {
        // The session outlives whatever the system says about one connection.
        if (!isGone(error)) warn(`a client cannot be written to: ${error instanceof Error ? error.message : error}`);
        this.end();
      }
      this.#wait(-bytes.length);
      const sample = this.#sample;
      if (!sample || this.#waiting > WAITING) return;
      this.#sample = undefined;
      this.send(sample);
    });
  }

  /** Notes how much of a frame has arrived that is not whole. */
  received(bytes: number): void {
    this.#arriving = bytes;
    this.#note();
  }

  #wait(more: number): void {
    this.#waiting += more;
    this.#note();
  }

  #note(): void {
    this.kept.note(this, this.#gone ? 0 : this.#waiting + this.#arriving);
  }

  /** Waits until fewer bytes are queued, or the client no longer reads. */
  async below(bytes: number): Promise<void> {
    while (this.#waiting > bytes && !this.#gone) await this.#last;
  }

  /** Waits until everything sent is written, the client no longer reads, or the time is up. */
  async settled(): Promise<void> {
    const late = setTimeout(() => this.end(), PARTING_TIME);
    await this.#last;
    clearTimeout(late);
  }

  /** Closes the connection, however often this is called; what was not sent is dropped. */
  end(): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#note();
    this.connection.close();
  }
}

/** Whether an error says that the other side is gone. */
function isGone(error: unknown): boolean {
  return error instanceof Deno.errors.BrokenPipe || error instanceof Deno.errors.ConnectionReset ||
    error instanceof Deno.errors.BadResource ||
    error instanceof Deno.errors.Interrupted || error instanceof Deno.errors.NotConnected;
}
