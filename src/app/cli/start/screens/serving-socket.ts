// The socket beside a session's own by which `el2 serve --end` ends the process that serves its
// screens: only its user can connect to it.

import { Failure } from "../../common/failure.ts";
import { checkOwnSocket, NotOurs } from "../../../../kit/support/files/own-files.ts";
import { OwnListener } from "../../../../kit/support/files/own-socket.ts";
import { problemOf } from "../../../../kit/support/problem.ts";
import { hint } from "../../../../kit/support/text/hint.ts";
import { way } from "../../../../kit/support/text/way-out.ts";

/** The byte that asks for the end. */
const END = 1;

/** The socket of a process that serves. */
export class ServingSocket {
  readonly #listener: OwnListener;
  readonly #asking = new Set<Deno.Conn>();

  /** @param asked called when somebody asks for the end */
  private constructor(path: string, readonly asked: () => void) {
    this.#listener = new OwnListener(path);
    void this.#accept();
  }

  /** @throws Failure if another process serves the session */
  static async open(path: string, session: string, asked: () => void): Promise<ServingSocket> {
    const other = await connect(path);
    other?.close();
    if (other) {
      throw new Failure(`session ${session} is served already`, way`end that with ${hint("serve", session, { end: true })}`);
    }
    try {
      return new ServingSocket(path, asked);
    } catch (error) {
      throw forUser(error);
    }
  }

  /** Takes the socket away: those who asked for the end see it. */
  close(): void {
    this.#listener.close();
    for (const connection of this.#asking) connection.close();
    this.#asking.clear();
  }

  async #accept(): Promise<void> {
    for (;;) {
      let connection: Deno.Conn;
      try {
        connection = await this.#listener.accept();
      } catch (error) {
        if (error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted) return;
        throw error;
      }
      void this.#hear(connection);
    }
  }

  async #hear(connection: Deno.Conn): Promise<void> {
    const [byte] = await first(connection);
    if (byte !== END) return connection.close();
    this.#asking.add(connection);
    this.asked();
  }
}

/** Ends the process that serves a session, and waits until it has. False if there is none. */
export async function endServing(path: string): Promise<boolean> {
  const connection = await connect(path);
  if (!connection) return false;
  await connection.write(new Uint8Array([END]));
  await first(connection);
  connection.close();
  return true;
}

/** The first byte, or none when the other end is closed. */
async function first(connection: Deno.Conn): Promise<Uint8Array> {
  const byte = new Uint8Array(1);
  try {
    return byte.subarray(0, await connection.read(byte) ?? 0);
  } catch (error) {
    if (error instanceof Deno.errors.ConnectionReset) return byte.subarray(0, 0);
    throw error;
  }
}

/**
 * A connection to the process that serves; undefined without one.
 * @throws Failure if what is there is not the user's
 */
async function connect(path: string): Promise<Deno.UnixConn | undefined> {
  try {
    checkOwnSocket(path);
    return await Deno.connect({ transport: "unix", path });
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.ConnectionRefused) return undefined;
    throw forUser(error);
  }
}

/** A file of somebody else is the user's to judge. */
const forUser = (error: unknown): unknown => error instanceof NotOurs ? new Failure(problemOf(error, "serve")) : error;
