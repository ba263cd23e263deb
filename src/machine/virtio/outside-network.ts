// Requirements of network and socket devices on the computer. The workstation implements it with
// sockets; tests with objects.

import type { Address } from "../../kit/formats/ip-addresses.ts";

/** Events of a stream for its user. */
export interface StreamListener {
  connected(): void;
  /** Bytes came. The listener says by `pause` and `resume` when it has enough. */
  data(bytes: Uint8Array): void;
  /** The other side sends no more. */
  ended(): void;
  /** Its buffer is full; further writes are still kept. */
  full(): void;
  /** All that was written has gone out. */
  drained(): void;
  /** It is over, by an error where `problem` is given. */
  closed(problem: string | undefined): void;
}

/** A connection of TCP. */
export interface OutsideStream {
  write(bytes: Uint8Array): void;
  /** Sends no more. */
  end(): void;
  /** Gives it up. */
  destroy(): void;
  pause(): void;
  resume(): void;
}

/** A socket of UDP with one peer. */
export interface OutsideDatagrams {
  send(bytes: Uint8Array): void;
  close(): void;
}

/** The sender of a datagram to one of our ports. */
export interface DatagramPeer {
  readonly address: Address;
  readonly port: number;
}

/** A port that takes datagrams of any peer. */
interface OutsideDatagramPort {
  send(peer: DatagramPeer, bytes: Uint8Array): void;
  close(): void;
}

export interface OutsideListener {
  close(): void;
}

export interface OutsideNetwork {
  /**
   * @param own whether the address may be the computer's own; otherwise such a connection is
   * refused
   */
  connect(address: Address, port: number, own: boolean, listener: StreamListener): OutsideStream;
  /**
   * @param own likewise; otherwise datagrams to such an address are lost
   * @param problem is called with what goes wrong on the computer's side
   */
  datagrams(
    address: Address,
    port: number,
    own: boolean,
    receive: (bytes: Uint8Array) => void,
    problem: (message: string) => void,
  ): OutsideDatagrams;
  /**
   * Listens on 127.0.0.1; `accept` takes each connection and returns its listener. `problem` is
   * called with the reason if it cannot listen.
   */
  listen(port: number, accept: (stream: OutsideStream) => StreamListener, problem: (message: string) => void): OutsideListener;
  /** Takes datagrams on 127.0.0.1; `problem` is called with the reason if it cannot. */
  datagramPort(
    port: number,
    receive: (peer: DatagramPeer, bytes: Uint8Array) => void,
    problem: (message: string) => void,
  ): OutsideDatagramPort;
  /** Calls back after some milliseconds of wall time; gives what takes that back. */
  later(milliseconds: number, action: () => void): () => void;
  /** Stands for the resolvers of the computer: a query to its port 53 goes to one that answers. */
  readonly nameServer: Address;
}

/** Unix sockets of the computer. */
export interface UnixSockets {
  connect(path: string, listener: StreamListener): OutsideStream;
  listen(path: string, accept: (stream: OutsideStream) => StreamListener, problem: (message: string) => void): OutsideListener;
}
