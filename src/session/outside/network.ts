// The computer's sockets and timers as input sources of the machine: their events enter as data. A
// replay has no sockets; their events come from the recording.

import type {
  DatagramPeer,
  OutsideListener,
  OutsideNetwork,
  OutsideStream,
  StreamListener,
  UnixSockets,
} from "../../machine/virtio/outside-network.ts";
import { computer } from "./computer.ts";
import type { OutsideDoor, OutsideSource } from "./outside.ts";

/** An event of a stream, as data. */
type StreamWord =
  | { readonly kind: "connected" | "ended" | "full" | "drained" }
  | { readonly kind: "data"; readonly bytes: Uint8Array }
  | { readonly kind: "closed"; readonly problem: string | undefined };

const NO_STREAM: OutsideStream = { write: () => {}, end: () => {}, destroy: () => {}, pause: () => {}, resume: () => {} };
const NO_LISTENER: OutsideListener = { close: () => {} };

/** The computer's network through the door. */
export function outsideNetwork(outside: OutsideDoor): OutsideNetwork {
  const sockets = outside.replayed ? undefined : computer().sockets();
  return {
    connect(address, port, own, listener) {
      const source = streamSource(outside, listener);
      return sockets?.connect(address, port, own, speaker(source)) ?? NO_STREAM;
    },
    datagrams(address, port, own, receive, problem) {
      const source = outside.open((bytes) => receive(bytes as Uint8Array));
      const datagrams = sockets?.datagrams(address, port, own, (bytes) => source.emit(bytes), problem);
      return {
        send: (bytes) => datagrams?.send(bytes),
        close: () => {
          source.close();
          datagrams?.close();
        },
      };
    },
    datagramPort(port, receive, problem) {
      const source = outside.open((word) => {
        const { peer, bytes } = word as { peer: DatagramPeer; bytes: Uint8Array };
        receive(peer, bytes);
      });
      const socket = sockets?.datagramPort(port, (peer, bytes) => source.emit({ peer, bytes }), problem);
      return {
        send: (peer, bytes) => socket?.send(peer, bytes),
        close: () => {
          source.close();
          socket?.close();
        },
      };
    },
    listen: (port, accept, problem) => listenOutside(outside, accept, sockets && ((take) => sockets.listen(port, take, problem))),
    later(milliseconds, action) {
      const source = outside.open(() => {
        source.close();
        action();
      });
      const cancel = sockets?.later(milliseconds, () => source.emit(null));
      return () => {
        source.close();
        cancel?.();
      };
    },
    nameServer: sockets?.nameServer ?? 0,
  };
}

/** The computer's Unix sockets through the door. */
export function outsideUnixSockets(outside: OutsideDoor): UnixSockets {
  const sockets = outside.replayed ? undefined : computer().unixSockets();
  return {
    connect(path, listener) {
      const source = streamSource(outside, listener);
      return sockets?.connect(path, speaker(source)) ?? NO_STREAM;
    },
    listen: (path, accept, problem) => listenOutside(outside, accept, sockets && ((take) => sockets.listen(path, take, problem))),
  };
}

/** A source whose words reach a stream's listener. */
function streamSource(outside: OutsideDoor, listener: StreamListener): OutsideSource {
  const source = outside.open((data) => {
    const word = data as StreamWord;
    if (word.kind === "data") return listener.data(word.bytes);
    if (word.kind !== "closed") return listener[word.kind]();
    source.close();
    listener.closed(word.problem);
  });
  return source;
}

/** The listener of a socket that says all it hears to a source. */
function speaker(source: OutsideSource): StreamListener {
  const say = (word: StreamWord) => source.emit(word);
  return {
    connected: () => say({ kind: "connected" }),
    data: (bytes) => say({ kind: "data", bytes }),
    ended: () => say({ kind: "ended" }),
    full: () => say({ kind: "full" }),
    drained: () => say({ kind: "drained" }),
    closed: (problem) => say({ kind: "closed", problem }),
  };
}

/**
 * A listening port: a connection enters as an event. Earlier events of its socket wait for that.
 * @param listen opens the socket; undefined in a replay
 */
function listenOutside(
  outside: OutsideDoor,
  accept: (stream: OutsideStream) => StreamListener,
  listen: ((take: (stream: OutsideStream) => StreamListener) => OutsideListener) | undefined,
): OutsideListener {
  /** Connections that have not entered yet, oldest first. */
  const waiting: { readonly stream: OutsideStream; source: OutsideSource | undefined; readonly early: StreamWord[] }[] = [];
  const door = outside.open(() => {
    const connection = waiting.shift();
    const source = streamSource(outside, accept(connection?.stream ?? NO_STREAM));
    if (!connection) return;
    connection.source = source;
    for (const word of connection.early) source.emit(word);
  });
  const listener = listen?.((stream) => {
    const connection: (typeof waiting)[number] = { stream, source: undefined, early: [] };
    waiting.push(connection);
    door.emit(null);
    return speaker({
      emit: (word) => connection.source ? connection.source.emit(word) : connection.early.push(word as StreamWord),
      close: () => connection.source?.close(),
    });
  }) ?? NO_LISTENER;
  return {
    close: () => {
      door.close();
      listener.close();
    },
  };
}
