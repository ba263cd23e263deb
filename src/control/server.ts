// The socket of a session: lets clients of the same person in, each with its own way to the hub.
// Mode 0600.

import { dirname } from "node:path";
import { type ClientMessage, type ServerMessage } from "./conversation.ts";
import type { SessionHub } from "./hub.ts";
import { answers } from "./remote.ts";
import { encodeMessage, MessageReader, PROTOCOL_VERSION } from "./wire.ts";
import { KiB } from "../support/sizes.ts";

/** Bytes that may wait for a client that does not read; what it can do without is dropped then. */
const WAITING = 256 * KiB;

/** A session has this name already. */
export class SocketInUse extends Error {}

/** A listening socket. */
export class SessionServer {
  readonly #listener: Deno.UnixListener;
  readonly #connections = new Set<Deno.Conn>();

  private constructor(readonly hub: SessionHub, readonly path: string) {
    this.#listener = Deno.listen({ transport: "unix", path });
    Deno.chmodSync(path, 0o600);
    this.#accept();
  }

  /**
   * Listens at a path. A socket that nobody answers is taken over. One process at a time looks and
   * listens: of two that start at once the second must not take the socket of the first, which
   * nobody could reach any more.
   * @throws SocketInUse where a session answers.
   */
  static async listen(hub: SessionHub, path: string): Promise<SessionServer> {
    using folder = await Deno.open(dirname(path));
    await folder.lock(true);
    if (await answers(path)) throw new SocketInUse(`a session listens at ${path}`);
    removeIfThere(path);
    return new SessionServer(hub, path);
  }

  /** Ends all connections and takes the socket away. */
  close(): void {
    this.#listener.close();
    for (const connection of this.#connections) connection.close();
    this.#connections.clear();
    removeIfThere(this.path);
  }

  async #accept(): Promise<void> {
    for await (const connection of this.#listener) {
      this.#connections.add(connection);
      serve(this.hub, connection).finally(() => {
        if (this.#connections.delete(connection)) connection.close();
      });
    }
  }
}

/** Talks with one client until it goes. */
async function serve(hub: SessionHub, connection: Deno.Conn): Promise<void> {
  const writer = new Writer(connection);
  const reader = new MessageReader();
  let client: ReturnType<SessionHub["join"]> | undefined;
  const buffer = new Uint8Array(65536);
  try {
    for (let count = await connection.read(buffer); count !== null; count = await connection.read(buffer)) {
      for (const message of reader.push(buffer.subarray(0, count)) as ClientMessage[]) {
        if (client) client.send(message);
        else if (message.kind === "hello") {
          writer.send({ kind: "welcome", version: PROTOCOL_VERSION, info: hub.info });
          if (message.version !== PROTOCOL_VERSION) return;
          client = hub.join({ readOnly: message.readOnly, follow: message.follow, patient: false }, (event) => writer.send(event));
        }
      }
    }
  } catch (error) {
    if (!isGone(error)) throw error;
  } finally {
    client?.leave();
    await writer.settled();
  }
}

/** Sends messages in order, one write at a time. */
class Writer {
  #last: Promise<void> = Promise.resolve();
  #waiting = 0;
  #gone = false;

  constructor(readonly connection: Deno.Conn) {}

  send(message: ServerMessage): void {
    const spare = message.kind === "sample" || message.kind === "events";
    if (this.#gone || spare && this.#waiting > WAITING) return;
    const bytes = encodeMessage(message);
    this.#waiting += bytes.length;
    this.#last = this.#last.then(async () => {
      if (this.#gone) return;
      try {
        for (let at = 0; at < bytes.length;) at += await this.connection.write(bytes.subarray(at));
      } catch (error) {
        if (!isGone(error)) throw error;
        this.#gone = true;
      }
      this.#waiting -= bytes.length;
    });
  }

  /** Everything that was sent is written, or nobody reads any more. */
  settled(): Promise<void> {
    return this.#last;
  }
}

/** Whether an error says that the other side is gone. */
function isGone(error: unknown): boolean {
  return error instanceof Deno.errors.BrokenPipe || error instanceof Deno.errors.ConnectionReset ||
    error instanceof Deno.errors.BadResource ||
    error instanceof Deno.errors.Interrupted || error instanceof Deno.errors.NotConnected;
}

function removeIfThere(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
