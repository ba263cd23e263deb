// Sockets for the worker that runs guests and has no rights: those of another thread
// (`served-sockets.ts`), by messages.

import type { Address } from "../../kit/formats/ip-addresses.ts";
import type { DatagramPeer, OutsideNetwork, OutsideStream, StreamListener, UnixSockets } from "../../machine/virtio/outside-network.ts";
import type { SocketCommand, SocketEvent } from "./socket-words.ts";

/** The users of a socket's words. */
interface Socket {
  readonly stream?: StreamListener;
  readonly accept?: (stream: OutsideStream) => StreamListener;
  readonly receive?: (bytes: Uint8Array, peer: DatagramPeer | undefined) => void;
  readonly problem?: (message: string) => void;
}

/** The worker's end. */
export class RemoteSockets {
  readonly #sockets = new Map<number, Socket>();
  #made = 0;

  /**
   * @param post sends a word
   * @param nameServer asks which resolver the computer has
   */
  constructor(readonly post: (command: SocketCommand, moved: ArrayBuffer[]) => void, readonly nameServer: () => Address) {}

  /** A word of a socket has come. */
  receive(event: SocketEvent): void {
    const socket = this.#sockets.get(event.id);
    // Closed here, while this was under way.
    if (!socket) return;
    switch (event.kind) {
      case "data":
        this.#tell({ kind: "took", id: event.id, count: event.bytes.length });
        socket.stream?.data(event.bytes);
        break;
      case "datagram":
        this.#tell({ kind: "took", id: event.id, count: 1 });
        socket.receive?.(event.bytes, event.peer);
        break;
      case "closed":
        this.#sockets.delete(event.id);
        socket.stream?.closed(event.problem);
        break;
      case "problem":
        socket.problem?.(event.message);
        break;
      case "accepted": {
        const { accept } = socket;
        if (accept) this.#sockets.set(event.stream, { stream: accept(this.#stream(event.stream)) });
        break;
      }
      default:
        socket.stream?.[event.kind]();
    }
  }

  network(): OutsideNetwork {
    const nameServer = this.nameServer();
    return {
      connect: (address, port, _own, stream) => {
        const id = this.#socket({ stream });
        this.#tell({ kind: "connect", id, address, port });
        return this.#stream(id);
      },
      datagrams: (address, port, _own, receive, problem) => {
        const id = this.#socket({ receive, problem });
        this.#tell({ kind: "datagrams", id, address, port });
        return { send: (bytes) => this.#tell({ kind: "send", id, bytes }), close: () => this.#close(id) };
      },
      listen: (port, accept, problem) => {
        const id = this.#socket({ accept, problem });
        this.#tell({ kind: "listen", id, port });
        return { close: () => this.#close(id) };
      },
      datagramPort: (port, receive, problem) => {
        const id = this.#socket({ receive: (bytes, peer) => peer && receive(peer, bytes), problem });
        this.#tell({ kind: "datagram-port", id, port });
        return { send: (peer, bytes) => this.#tell({ kind: "send", id, bytes, peer }), close: () => this.#close(id) };
      },
      later(milliseconds, action) {
        const timer = setTimeout(action, milliseconds);
        return () => clearTimeout(timer);
      },
      nameServer,
    };
  }

  unix(): UnixSockets {
    return {
      connect: (path, stream) => {
        const id = this.#socket({ stream });
        this.#tell({ kind: "connect-unix", id, path });
        return this.#stream(id);
      },
      listen: (path, accept, problem) => {
        const id = this.#socket({ accept, problem });
        this.#tell({ kind: "listen-unix", id, path });
        return { close: () => this.#close(id) };
      },
    };
  }

  #socket(socket: Socket): number {
    this.#sockets.set(++this.#made, socket);
    return this.#made;
  }

  #close(id: number): void {
    this.#sockets.delete(id);
    this.#tell({ kind: "close", id });
  }

  #stream(id: number): OutsideStream {
    return {
      write: (bytes) => this.#tell({ kind: "write", id, bytes }),
      end: () => this.#tell({ kind: "end", id }),
      destroy: () => this.#tell({ kind: "destroy", id }),
      pause: () => this.#tell({ kind: "pause", id }),
      resume: () => this.#tell({ kind: "resume", id }),
    };
  }

  #tell(command: SocketCommand): void {
    if (!("bytes" in command)) return this.post(command, []);
    // A message copies all memory that the bytes are a part of, such as a guest's.
    const bytes = Uint8Array.from(command.bytes);
    this.post({ ...command, bytes }, [bytes.buffer]);
  }
}
