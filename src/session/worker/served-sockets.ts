// Sockets that the worker's guests use, in the thread that has rights: only those that the plan
// allows (`grants.ts`).

import { computerSockets, unixSockets } from "../outside/sockets.ts";
import { endpointText } from "../../kit/formats/ip-addresses.ts";
import type { OutsideStream, StreamListener } from "../../machine/virtio/outside-network.ts";
import type { Grants } from "./grants.ts";
import type { SocketCommand, SocketEvent } from "./socket-words.ts";

/** Sockets at a time: more than the cards of a machine need. */
const MOST = 8192;
/**
 * Bytes of a stream, and datagrams of a port, that may be on their way to the worker: a machine in
 * a long slice takes none.
 */
const BYTES_AHEAD = 256 * 1024;
const DATAGRAMS_AHEAD = 256;

/** An open socket. */
interface Served {
  readonly stream?: OutsideStream;
  send?(command: Extract<SocketCommand, { kind: "send" }>): void;
  close(): void;
  /** Bytes, or datagrams, on their way. */
  ahead: number;
  /** The machine wants no more for now; too many are on their way. */
  held: boolean;
  stopped: boolean;
}

/** The sockets of one worker. */
export class ServedSockets {
  readonly #network = computerSockets();
  readonly #unix = unixSockets();
  readonly #sockets = new Map<number, Served>();
  #accepted = 0;

  /** @param tell sends a word to the worker */
  constructor(readonly grants: Grants, readonly tell: (event: SocketEvent, moved: ArrayBuffer[]) => void) {}

  /** Stands for the resolvers of the computer. */
  get nameServer() {
    return this.#network.nameServer;
  }

  /**
   * Carries out a word of the worker.
   * @throws Error if the word is unknown
   */
  receive(command: SocketCommand): void {
    const { id } = command;
    switch (command.kind) {
      case "connect": {
        const { address, port } = command;
        const verdict = this.grants.mayReach(address, port, this.nameServer);
        if (!verdict) return this.#refuse(id, `${port}: not allowed`);
        return this.#add(id, (listener) => this.#network.connect(address, port, verdict.own, listener));
      }
      case "connect-unix":
        if (!this.grants.mayConnect(command.path)) return this.#refuse(id, `${command.path}: not allowed`);
        return this.#add(id, (listener) => this.#unix.connect(command.path, listener));
      case "listen":
        if (!this.grants.mayListen("tcp", command.port)) return this.#problem(id, `${command.port}: not allowed`);
        return this.#keep(id, this.#network.listen(command.port, (stream) => this.#accept(id, stream), (text) => this.#problem(id, text)));
      case "listen-unix":
        if (!this.grants.mayListenAt(command.path)) return this.#problem(id, `${command.path}: not allowed`);
        return this.#keep(id, this.#unix.listen(command.path, (stream) => this.#accept(id, stream), (text) => this.#problem(id, text)));
      case "datagrams": {
        const { address, port } = command;
        const verdict = this.grants.mayReach(address, port, this.nameServer);
        if (!verdict) return;
        const problem = (text: string) => this.#problem(id, text);
        const socket = this.#network.datagrams(address, port, verdict.own, (bytes) => this.#datagram(id, bytes), problem);
        return this.#keep(id, { send: ({ bytes }) => socket.send(bytes), close: () => socket.close() });
      }
      case "datagram-port": {
        if (!this.grants.mayListen("udp", command.port)) return this.#problem(id, `${command.port}: not allowed`);
        const peers = new Set<string>();
        const socket = this.#network.datagramPort(
          command.port,
          (peer, bytes) => {
            if (peers.size >= MOST) peers.clear();
            peers.add(endpointText(peer.address, peer.port));
            this.#datagram(id, bytes, peer);
          },
          (text) => this.#problem(id, text),
        );
        return this.#keep(id, {
          // A port answers; it does not begin.
          send: ({ bytes, peer }) => peer && peers.has(endpointText(peer.address, peer.port)) && socket.send(peer, bytes),
          close: () => socket.close(),
        });
      }
      case "took":
        return this.#took(id, command.count);
      case "close":
        this.#sockets.get(id)?.close();
        this.#sockets.delete(id);
        return;
      case "send":
        return this.#sockets.get(id)?.send?.(command);
      case "write":
        return this.#sockets.get(id)?.stream?.write(command.bytes);
      case "pause":
      case "resume": {
        const socket = this.#sockets.get(id);
        if (!socket) return;
        socket.held = command.kind === "pause";
        return this.#flow(socket);
      }
      case "end":
      case "destroy":
        return this.#sockets.get(id)?.stream?.[command.kind]();
      default:
        throw new TypeError("unknown word of a socket");
    }
  }

  /** The machine is over. */
  close(): void {
    for (const socket of this.#sockets.values()) socket.close();
    this.#sockets.clear();
  }

  #add(id: number, open: (listener: StreamListener) => OutsideStream): void {
    const stream = open(this.#listener(id));
    this.#keep(id, { stream, close: () => stream.destroy() });
  }

  #keep(id: number, socket: Pick<Served, "stream" | "send" | "close">): void {
    if (this.#sockets.size >= MOST) return socket.close();
    this.#sockets.set(id, { ...socket, ahead: 0, held: false, stopped: false });
  }

  #accept(listener: number, stream: OutsideStream): StreamListener {
    const id = -++this.#accepted;
    this.#keep(id, { stream, close: () => stream.destroy() });
    this.#say({ kind: "accepted", id: listener, stream: id });
    return this.#listener(id);
  }

  #listener(id: number): StreamListener {
    return {
      connected: () => this.#say({ kind: "connected", id }),
      data: (bytes) => {
        const socket = this.#sockets.get(id);
        if (!socket) return;
        socket.ahead += bytes.length;
        this.#flow(socket);
        this.#say({ kind: "data", id, bytes }, bytes);
      },
      ended: () => this.#say({ kind: "ended", id }),
      full: () => this.#say({ kind: "full", id }),
      drained: () => this.#say({ kind: "drained", id }),
      closed: (problem) => {
        this.#sockets.delete(id);
        this.#say({ kind: "closed", id, problem });
      },
    };
  }

  #datagram(id: number, bytes: Uint8Array, peer?: Extract<SocketEvent, { kind: "datagram" }>["peer"]): void {
    const socket = this.#sockets.get(id);
    if (!socket || socket.ahead >= DATAGRAMS_AHEAD) return;
    socket.ahead++;
    this.#say({ kind: "datagram", id, bytes, ...peer && { peer } }, bytes);
  }

  #took(id: number, count: number): void {
    const socket = this.#sockets.get(id);
    if (!socket) return;
    socket.ahead -= count;
    if (socket.stream) this.#flow(socket);
  }

  /** Stops a stream that is ahead, or continues it. */
  #flow(socket: Served): void {
    const stopped = socket.held || socket.ahead > BYTES_AHEAD;
    if (stopped === socket.stopped) return;
    socket.stopped = stopped;
    if (stopped) socket.stream?.pause();
    else socket.stream?.resume();
  }

  #refuse(id: number, problem: string): void {
    this.#say({ kind: "closed", id, problem });
  }

  #problem(id: number, message: string): void {
    this.#say({ kind: "problem", id, message });
  }

  #say(event: SocketEvent, bytes?: Uint8Array): void {
    this.tell(event, bytes ? [bytes.buffer as ArrayBuffer] : []);
  }
}
