// The computer's end of a guest's sockets: context id 2. A guest that connects to port P of the
// computer reaches the Unix socket `PATH_P`. A program of the computer connects to the Unix socket
// `PATH`, writes `CONNECT P\n` and reads `OK N\n`; then it is connected to port P of the guest.

import { CarriedConnection, CONNECTION_BUFFER } from "../carried-connection.ts";
import type { OutsideListener, UnixSockets } from "../outside-network.ts";
import { Cid, resetOf, VSOCK_STREAM, VsockOp, type VsockPacket, VsockShutdown } from "./packet.ts";
import { KiB } from "../../../kit/support/values/sizes.ts";

const PAYLOAD_MAX = 32 * KiB;
const CONNECTIONS_MAX = 256;
/** Ports of the computer's side of connections that the computer opens. */
const FIRST_PORT = 0x4000_0000;
/** Longest first line of a program. */
const GREETING_MAX = 32;
const NOTHING = new Uint8Array(0);

/** Requirements of the computer's end. */
interface OutsideEndpointOptions {
  readonly cid: number;
  /** The Unix socket's path. */
  readonly path: string;
  readonly sockets: UnixSockets;
  /** Gives a packet to the guest. */
  readonly deliver: (packet: VsockPacket) => void;
  readonly onProblem: (message: string) => void;
}

class Connection extends CarriedConnection {
  #sent = 0;
  #guestBuffer = 0;
  #guestForwarded = 0;
  #received = 0;
  #forwarded = 0;
  #open = false;
  /** Before a program of the computer has said where it wants to: its first line. */
  #greeting: number[] | undefined;

  constructor(
    readonly endpoint: OutsideEndpoint,
    readonly outsidePort: number,
    public guestPort: number,
    greets: boolean,
  ) {
    super();
    if (greets) this.#greeting = [];
  }

  connected(): void {
    this.#open = true;
    this.#send(VsockOp.RESPONSE);
  }

  override data(bytes: Uint8Array): void {
    let rest = bytes;
    if (this.#greeting) {
      const end = bytes.indexOf(0x0a);
      this.#greeting.push(...bytes.subarray(0, end < 0 ? GREETING_MAX + 1 : Math.min(end, GREETING_MAX + 1)));
      if (end < 0 && this.#greeting.length <= GREETING_MAX) return;
      const port = /^CONNECT (\d{1,10})$/.exec(String.fromCharCode(...this.#greeting))?.[1];
      this.#greeting = undefined;
      if (port === undefined || Number(port) > 0xffff_ffff) return this.carrier.destroy();
      this.guestPort = Number(port);
      this.endpoint.add(this);
      this.#send(VsockOp.REQUEST);
      rest = bytes.subarray(end + 1);
    }
    if (rest.length > 0) super.data(rest);
  }

  protected get isOver(): boolean {
    return !this.endpoint.has(this);
  }

  protected get hasRest(): boolean {
    return this.backlog.length > 0;
  }

  protected unstuck(): void {
    this.#forwarded = this.#received;
    if (this.#open) this.#send(VsockOp.CREDIT_UPDATE);
  }

  protected reset(): void {
    this.#send(VsockOp.RST);
    this.endpoint.remove(this);
  }

  /** A packet of the guest's. */
  receive(packet: VsockPacket): void {
    this.#guestBuffer = packet.bufferSize;
    this.#guestForwarded = packet.forwarded;
    switch (packet.op) {
      case VsockOp.RESPONSE:
        if (this.#open) return;
        this.#open = true;
        this.carrier.write(new TextEncoder().encode(`OK ${this.outsidePort}\n`));
        break;
      case VsockOp.RST:
        this.endpoint.remove(this);
        return this.carrier.destroy();
      case VsockOp.SHUTDOWN:
        if (packet.flags & VsockShutdown.SEND) this.carrier.end();
        if ((packet.flags & 3) === 3) {
          this.#send(VsockOp.RST);
          this.endpoint.remove(this);
          return this.carrier.end();
        }
        break;
      case VsockOp.RW:
        return this.#receive(packet.payload);
      case VsockOp.CREDIT_REQUEST:
        this.#send(VsockOp.CREDIT_UPDATE);
    }
    this.transmit();
  }

  #receive(payload: Uint8Array): void {
    this.#received = this.#received + payload.length >>> 0;
    if ((this.#received - this.#forwarded >>> 0) > CONNECTION_BUFFER) {
      // It sends more than it was given credit for.
      this.#send(VsockOp.RST);
      this.endpoint.remove(this);
      return this.carrier.destroy();
    }
    this.carrier.write(payload);
    if (this.stuck) return;
    this.#forwarded = this.#received;
    this.#send(VsockOp.CREDIT_UPDATE);
  }

  protected transmit(): void {
    if (!this.#open) return;
    while (this.backlog.length > 0) {
      const credit = this.#guestBuffer - (this.#sent - this.#guestForwarded >>> 0);
      if (credit <= 0) break;
      const piece = this.backlog.front(Math.min(credit, PAYLOAD_MAX));
      this.#sent = this.#sent + piece.length >>> 0;
      this.backlog.drop(piece.length);
      this.#send(VsockOp.RW, 0, piece);
    }
    this.backlog.relieve();
    if (this.streamEnded && this.backlog.length === 0) this.#send(VsockOp.SHUTDOWN, VsockShutdown.SEND);
  }

  #send(op: number, flags = 0, payload = NOTHING): void {
    this.endpoint.options.deliver({
      sourceCid: Cid.HOST,
      destinationCid: this.endpoint.options.cid,
      sourcePort: this.outsidePort,
      destinationPort: this.guestPort,
      type: VSOCK_STREAM,
      op,
      flags,
      bufferSize: CONNECTION_BUFFER,
      forwarded: this.#forwarded,
      payload,
    });
  }
}

/** The computer as one guest sees it. */
export class OutsideEndpoint {
  readonly #connections = new Map<string, Connection>();
  readonly #listener: OutsideListener;
  #nextPort = FIRST_PORT;

  constructor(readonly options: OutsideEndpointOptions) {
    this.#listener = options.sockets.listen(options.path, (stream) => {
      const connection = new Connection(this, this.#nextPort++, 0, true);
      connection.carry(stream);
      return connection;
    }, options.onProblem);
  }

  /** The port of the next program that connects: the state that outlives connections. */
  save(): number {
    return this.#nextPort;
  }

  restore(nextPort: number): void {
    this.#nextPort = nextPort;
  }

  /** Programs of the computer may connect. */
  readonly listens = true;

  get busy(): boolean {
    return this.#connections.size > 0;
  }

  close(): void {
    this.#listener.close();
    for (const { stream } of this.#connections.values()) stream?.destroy();
    this.#connections.clear();
  }

  /** A packet of the guest for the computer. */
  send(packet: VsockPacket): void {
    const connection = this.#connections.get(key(packet.destinationPort, packet.sourcePort));
    if (connection) return connection.receive(packet);
    if (packet.op !== VsockOp.REQUEST || this.#connections.size >= CONNECTIONS_MAX) {
      if (packet.op !== VsockOp.RST) this.options.deliver(resetOf(packet));
      return;
    }
    const opened = new Connection(this, packet.destinationPort, packet.sourcePort, false);
    this.add(opened);
    opened.carry(this.options.sockets.connect(`${this.options.path}_${packet.destinationPort}`, opened));
    opened.receive(packet);
  }

  add(connection: Connection): void {
    this.#connections.set(key(connection.outsidePort, connection.guestPort), connection);
  }

  has(connection: Connection): boolean {
    return this.#connections.get(key(connection.outsidePort, connection.guestPort)) === connection;
  }

  remove(connection: Connection): void {
    if (this.has(connection)) this.#connections.delete(key(connection.outsidePort, connection.guestPort));
  }
}

function key(outsidePort: number, guestPort: number): string {
  return `${outsidePort}:${guestPort}`;
}
