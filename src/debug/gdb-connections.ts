// Where gdb comes from: a port of the loopback interface, or the streams of this process.

const LOOPBACK = "127.0.0.1";

/** One gdb. */
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

/** A port of 127.0.0.1. */
export class LoopbackPort implements GdbConnections {
  readonly #listener: Deno.TcpListener;
  #closed = false;

  /**
   * Listens.
   * @param port 0: any that is free.
   * @throws Deno.errors.AddrInUse and the like.
   */
  constructor(port: number) {
    this.#listener = Deno.listen({ hostname: LOOPBACK, port });
  }

  get name(): string {
    return `${LOOPBACK}:${this.#listener.addr.port}`;
  }

  async accept(): Promise<GdbConnection | undefined> {
    try {
      return await this.#listener.accept();
    } catch (error) {
      if (this.#closed) return undefined;
      throw error;
    }
  }

  close(): void {
    this.#closed = true;
    this.#listener.close();
  }
}

/** stdin and stdout: one gdb, which has started this process. */
export class StandardStreams implements GdbConnections {
  readonly name = "| el2 gdb --stdio";
  #taken = false;

  accept(): Promise<GdbConnection | undefined> {
    const connection = this.#taken ? undefined : { readable: Deno.stdin.readable, writable: Deno.stdout.writable };
    this.#taken = true;
    return Promise.resolve(connection);
  }

  close(): void {}
}
