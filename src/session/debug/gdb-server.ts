// The gdb server of one VM: serves one connection at a time, each with a session. The VM stops when
// the first bytes arrive, and continues when the connection ends. A connection that does not begin
// like one of gdb's ends at once.

import type { GdbConnection, GdbConnections } from "./gdb-connections.ts";
import { beginsLikeGdb } from "./packets.ts";
import { GdbSession, type GdbStop, type GdbTarget } from "./gdb-session.ts";

export class GdbServer {
  readonly #target: GdbTarget;
  #session: GdbSession | undefined;
  /** Why the VM is stopped, while it is. */
  #stop: GdbStop | undefined;
  #stopping = Promise.withResolvers<void>();
  #closed = false;

  /** Accepts connections only from `serve` on. */
  constructor(readonly connections: GdbConnections, target: GdbTarget) {
    this.#target = {
      ask: (access) => target.ask(access),
      stop: () => target.stop(),
      go: (step, range) => {
        this.#goesOn();
        target.go(step, range);
      },
      back: (step) => {
        this.#goesOn();
        target.back(step);
      },
      monitor: (command, vcpu, ...args) => target.monitor(command, vcpu, ...args),
      movedTo: () => target.movedTo(),
      detach: () => {
        this.#goesOn();
        target.detach();
      },
      kill: () => target.kill(),
    };
  }

  /**
   * Serves until `ended`, or no more connections can come. With `fromStart`, accepts only once the
   * VM has stopped at its first instruction.
   */
  async serve(fromStart: boolean): Promise<void> {
    if (fromStart) await this.#stopping.promise;
    while (!this.#closed) {
      const connection = await this.connections.accept();
      if (!connection) return;
      await this.#converse(connection);
    }
  }

  stopped(stop: GdbStop): void {
    this.#stop = stop;
    this.#stopping.resolve();
    this.#session?.stopped(stop);
  }

  /** The machine is gone; `code` is what its process would exit with. */
  ended(code: number): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#session?.ended(code);
    this.#stopping.resolve();
    this.connections.close();
  }

  #goesOn(): void {
    this.#stop = undefined;
    this.#stopping = Promise.withResolvers();
  }

  async #converse(connection: GdbConnection): Promise<void> {
    const received = connection.readable[Symbol.asyncIterator]();
    const first = await nextOf(received);
    if (first.done || !beginsLikeGdb(first.value)) {
      await received.return?.();
      return connection.writable.close().catch(() => {});
    }
    if (!this.#stop) {
      this.#target.stop();
      await this.#stopping.promise;
    }
    const writer = connection.writable.getWriter();
    let open = true, farewell: Promise<void> | undefined;
    // A reader that is gone shows in the other direction as well.
    const send = async (bytes: Uint8Array<ArrayBuffer>) => {
      await writer.write(bytes).catch(() => open = false);
    };
    const close = () => {
      open = false;
      // Delivers pending output before the end; the client may be gone.
      farewell = writer.close().catch(() => {});
    };
    if (!this.#stop) return close();
    const session = this.#session = new GdbSession(this.#target, this.#stop, send, close);
    try {
      for (let next: IteratorResult<Uint8Array> = first; !next.done && open; next = await nextOf(received)) {
        await session.receive(next.value);
      }
      if (!open) await received.return?.();
    } finally {
      this.#session = undefined;
      session.lost();
    }
    await farewell;
  }
}

/** The next bytes; none after a disconnection. */
async function nextOf(received: AsyncIterator<Uint8Array>): Promise<IteratorResult<Uint8Array>> {
  try {
    return await received.next();
  } catch (error) {
    if (!isDisconnection(error)) throw error;
    return { done: true, value: undefined };
  }
}

function isDisconnection(error: unknown): boolean {
  return error instanceof Deno.errors.ConnectionReset || error instanceof Deno.errors.BrokenPipe ||
    error instanceof Deno.errors.Interrupted ||
    error instanceof Deno.errors.BadResource;
}
