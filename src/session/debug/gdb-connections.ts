// Where gdb comes from: a socket that only its user can connect to, a port of the loopback
// interface, to which every local user can connect, or the streams of this process.

import { OwnListener } from "../../kit/support/files/own-socket.ts";

const LOOPBACK = "127.0.0.1";

export interface GdbConnection {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<Uint8Array>;
}

/** Where they come from, one after the other. */
export interface GdbConnections {
  /** Its address in the form of gdb's `target remote`. */
  readonly name: string;
  /** The next one; undefined when there will be none. */
  accept(): Promise<GdbConnection | undefined>;
  close(): void;
}

/** Something that listens. */
abstract class Listening<L extends Deno.TcpListener | OwnListener> implements GdbConnections {
  #closed = false;

  constructor(protected readonly listener: L) {}

  abstract get name(): string;

  async accept(): Promise<GdbConnection | undefined> {
    try {
      return await this.listener.accept();
    } catch (error) {
      if (this.#closed) return undefined;
      throw error;
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.listener.close();
  }
}

/** A port of 127.0.0.1. */
export class LoopbackPort extends Listening<Deno.TcpListener> {
  /**
   * Listens.
   * @param port 0: any that is free.
   * @throws Deno.errors.AddrInUse and the like.
   */
  constructor(port: number) {
    super(Deno.listen({ hostname: LOOPBACK, port }));
  }

  get name(): string {
    return `${LOOPBACK}:${this.listener.addr.port}`;
  }
}

/** A socket in a folder that belongs to the user. */
export class OwnSocket extends Listening<OwnListener> {
  /**
   * Listens.
   * @param path absolute
   * @throws NotOurs, and errors of the system
   */
  constructor(path: string) {
    super(new OwnListener(path));
  }

  get name(): string {
    return this.listener.path;
  }
}

/** stdin and stdout: one gdb, which has started this process. */
export class StandardStreams implements GdbConnections {
  readonly name = "stdin and stdout";
  #taken = false;

  accept(): Promise<GdbConnection | undefined> {
    const connection = this.#taken ? undefined : { readable: Deno.stdin.readable, writable: Deno.stdout.writable };
    this.#taken = true;
    return Promise.resolve(connection);
  }

  close(): void {}
}
