// User-mode NAT: a network of one guest, whose connections continue as sockets of the computer,
// with the user's own rights.
//
// - 10.0.2.0/24: the IPv4 network; the guest is 10.0.2.15, by DHCP
// - 10.0.2.2: the router; as a destination it is the computer's 127.0.0.1
// - 10.0.2.3: DNS, the computer's resolver
// - fd10:0:2::/64: the IPv6 network, in which the guest chooses its addresses
// - fd10:0:2::2 and fe80::2: the router; as a destination it is the computer's ::1
// - fd10:0:2::3: DNS
//
// A policy (`policy.ts`) decides which destinations the guest may reach; refused ones never get a
// socket. Answers of the resolver follow the same policy.
//
// ICMP echo is answered for these addresses only: others, and protocols that sockets do not have,
// are refused by ICMP. Datagrams of any size are carried, in fragments of the link's MTU. Forwarded
// ports lead to the guest's IPv4 address.

import type { NetPolicy, PortForward } from "../../plan.ts";
import { BROADCAST, isDns, isManyOrNobody, NatAddress, NatAddress6, OURS, OURS6, ROUTER_MAC } from "./addresses.ts";
import { MTU, type NetDevice, type NetPeer } from "../net.ts";
import { answerDhcp, DHCP_CLIENT_PORT, DHCP_SERVER_PORT, type Lease } from "./dhcp.ts";
import type { OutsideDatagrams, OutsideListener, OutsideNetwork, StreamListener } from "../../outside-network.ts";
import { type Address, addressText, endpointText, type Ip, ip, type Ip6, ip6 } from "../../../../kit/formats/ip-addresses.ts";
import {
  ArpOperation,
  EtherType,
  fragmentsOf,
  type IpPacket,
  IpProtocol,
  readArp,
  readEthernet,
  readIp,
  readIpv6,
  readTcp,
  readUdp,
  type Route,
  TcpFlag,
  writeArpReply,
  writeIcmp,
  writeTcp,
  writeUdp,
  writeUnreachable,
} from "../../../../kit/formats/packets.ts";
import { Reassembly } from "../../../../kit/formats/reassembly.ts";
import { DnsStream, filteredAnswer, refusedAnswer } from "./dns.ts";
import { type AddressKind, judge, mayAnswer, mayResolve, plainAddress, policyText, type Verdict } from "./policy.ts";
import { answerIcmp6, type Network6 } from "./router-discovery.ts";
import { refusal, TcpConnection } from "./tcp.ts";

const BROADCAST_MAC = new Uint8Array(6).fill(0xff);
const LOOPBACK = ip("127.0.0.1"), LOOPBACK6 = ip6("::1");
const NETWORK6: Network6 = {
  mac: ROUTER_MAC,
  link: NatAddress6.Link,
  prefix: NatAddress6.Network,
  dns: NatAddress6.Dns,
  ours: OURS6,
};
const ICMP_ECHO_REQUEST = 8, ICMP6_ECHO_REQUEST = 128, ECHO_SIZE = 8;
/**
 * Flows that one guest may have; the oldest UDP flow makes room, a TCP connection more is refused.
 */
const TCP_MAX = 512;
const UDP_MAX = 256;
/** Connections and flows that one guest may open in a second: browsers do not, scans do. */
const OPENED_MAX = 512;
const OPENED_WINDOW_MS = 1_000;
/** Milliseconds after which a flow that the guest does not use is closed. */
const UDP_IDLE_MS = 5_000;
/** Milliseconds for which the missing fragments of a datagram are waited for. */
const FRAGMENTS_MS = 30_000;
/** Bytes of a segment that fit into a frame, by how an address is written. */
const SEGMENT_MAX = { number: 1460, string: 1440 } as const;
/** First port from which the NAT itself connects to forwarded ports. */
const FORWARD_PORT_BASE = 49_152;
const FORWARD_PORTS = 16_384;
const LEASE: Lease = {
  address: NatAddress.Guest,
  netmask: NatAddress.Netmask,
  router: NatAddress.Router,
  dns: NatAddress.Dns,
  server: NatAddress.Router,
};

type Limit = "connections" | "rate";
/** Packets that Deno has no sockets for: other protocols, and echo requests beyond the router. */
const REFUSALS = {
  protocol: ({ protocol }: IpPacket) =>
    `the guest's packets of IP protocol ${protocol} are refused; TCP, UDP and echo to the router are carried`,
  prohibited: ({ destination }: IpPacket) =>
    `the guest's echo requests to ${addressText(destination)} are refused: only the router and the name server answer ping`,
} as const;
/** Why a packet is lost. */
type Loss = "fragments" | keyof typeof REFUSALS;

/** A socket for one UDP flow; `forget` takes its timeout back. */
interface Flow {
  readonly datagrams: OutsideDatagrams;
  readonly forget: () => void;
}

interface NatOptions {
  readonly device: NetDevice;
  readonly network: OutsideNetwork;
  readonly forward: readonly PortForward[];
  readonly policy: NetPolicy;
  readonly onProblem: (message: string) => void;
}

/** State of a NAT without connections. */
interface NatState {
  readonly guestMac: Uint8Array;
  /** Connections that were forwarded, and the last initial sequence number. */
  readonly forwarded: number;
  readonly sequence: number;
}

/** The NAT of one network device. */
export class Nat implements NetPeer {
  #guestMac: Uint8Array = BROADCAST_MAC;
  /** Connections by the guest's address and port, and the peer's (`keyOf`). */
  readonly #connections = new Map<string, TcpConnection>();
  /** UDP flows likewise, the longest unused first. */
  readonly #flows = new Map<string, Flow>();
  readonly #listeners: OutsideListener[] = [];
  #forwarded = 0;
  #sequence = 0x1000_0000;
  /** Opened since the window began; undefined if none has. */
  #opened: { count: number; readonly forget: () => void } | undefined;
  /** Datagrams of the guest's that have not come whole. */
  readonly #incomplete: Reassembly;
  /** Datagrams that were cut into fragments. */
  #cut = 0;
  /** Reported already: kinds of addresses that are refused, limits, reasons of losses. */
  readonly #told = new Set<AddressKind | Limit | Loss>();

  constructor(readonly options: NatOptions) {
    this.#incomplete = new Reassembly({
      later: (action) => options.network.later(FRAGMENTS_MS, action),
      dropped: ({ destination }, bytes) =>
        this.#lose(
          "fragments",
          () =>
            `a datagram of the guest to ${
              addressText(destination)
            } is lost: its fragments overlap, or do not all come (${bytes} bytes came)`,
        ),
    });
    for (const { protocol, host, guest } of options.forward) {
      if (protocol === "tcp") this.#forward(host, guest);
      else this.#forwardDatagrams(host, guest);
    }
  }

  /** Ends all connections; the network is gone. */
  close(): void {
    for (const listener of this.#listeners) listener.close();
    for (const connection of [...this.#connections.values()]) connection.destroy();
    for (const key of [...this.#flows.keys()]) this.#closeFlow(key);
    this.#opened?.forget();
    this.#incomplete.close();
  }

  /** State that outlives its connections, as plain data. It is saved only without connections. */
  save(): NatState {
    return { guestMac: this.#guestMac.slice(), forwarded: this.#forwarded, sequence: this.#sequence };
  }

  restore({ guestMac, forwarded, sequence }: NatState): void {
    this.#guestMac = guestMac.slice();
    this.#forwarded = forwarded;
    this.#sequence = sequence;
  }

  get reach(): string {
    return policyText(this.options.policy);
  }

  /** Whether the computer may connect to the guest. */
  get listens(): boolean {
    return this.#listeners.length > 0;
  }

  /** Whether there are connections, or datagrams that may be answered. */
  get busy(): boolean {
    return this.#connections.size > 0 || this.#flows.size > 0 || this.#opened !== undefined || this.#incomplete.busy;
  }

  drained(): void {
    for (const connection of this.#connections.values()) connection.roomAgain();
  }

  send(frame: Uint8Array): void {
    const ethernet = readEthernet(frame);
    if (!ethernet) return;
    this.#guestMac = ethernet.source.slice();
    if (ethernet.type === EtherType.ARP) return this.#arp(ethernet.payload);
    if (ethernet.type === EtherType.IPV4) {
      const packet = this.#whole(readIp(ethernet.payload));
      if (packet?.protocol === IpProtocol.ICMP) this.#icmp(packet);
      else if (packet) this.#transport(packet);
    } else if (ethernet.type === EtherType.IPV6) {
      const packet = this.#whole(readIpv6(ethernet.payload));
      if (packet?.protocol === IpProtocol.ICMPV6) this.#icmp6(packet);
      else if (packet && !isManyOrNobody(packet.source)) this.#transport(packet);
    }
  }

  #whole<A extends Address>(packet: IpPacket<A> | undefined): IpPacket<A> | undefined {
    return packet && this.#incomplete.add(packet);
  }

  #transport(packet: IpPacket): void {
    const { protocol } = packet;
    if (protocol === IpProtocol.UDP) this.#udp(packet);
    else if (protocol === IpProtocol.TCP) this.#tcp(packet);
    else this.#refuse(packet, "protocol");
  }

  /** Says to the guest that a packet goes nowhere, if somebody in particular should have it. */
  #refuse(packet: IpPacket, why: keyof typeof REFUSALS): void {
    const { source, destination } = packet;
    if (isManyOrNobody(destination) || isManyOrNobody(source)) return;
    this.#lose(why, () => REFUSALS[why](packet));
    const from = typeof destination === "number" ? NatAddress.Router : NatAddress6.Router;
    this.options.device.receive(writeUnreachable(this.#route(from, source), packet, why));
  }

  /** Frames of one datagram to the guest: as many as its size takes. */
  #receive(frame: Uint8Array): void {
    for (const piece of fragmentsOf(frame, MTU, this.#cut)) this.options.device.receive(piece);
    if (frame.length > MTU) this.#cut++;
  }

  #arp(bytes: Uint8Array): void {
    const arp = readArp(bytes);
    if (!arp || arp.operation !== ArpOperation.REQUEST || !OURS.includes(arp.target)) return;
    this.options.device.receive(writeArpReply(ROUTER_MAC, arp.target, this.#guestMac, arp.sender));
  }

  #icmp(packet: IpPacket<Ip>): void {
    const { source, destination, payload } = packet;
    if (payload[0] !== ICMP_ECHO_REQUEST || payload.length < ECHO_SIZE) return;
    if (!OURS.includes(destination)) return this.#refuse(packet, "prohibited");
    const message = payload.slice();
    message[0] = 0;
    this.#receive(writeIcmp(this.#route(destination, source), message));
  }

  #icmp6(packet: IpPacket<Ip6>): void {
    const echo = packet.payload[0] === ICMP6_ECHO_REQUEST && packet.payload.length >= ECHO_SIZE;
    if (echo && !OURS6.includes(packet.destination)) return this.#refuse(packet, "prohibited");
    for (const { source, destination, message, hops } of answerIcmp6(packet, NETWORK6)) {
      this.#receive(writeIcmp(this.#route(source, destination), message, hops));
    }
  }

  #udp(packet: IpPacket): void {
    const datagram = readUdp(packet);
    if (!datagram) return;
    const { sourcePort, destinationPort, payload } = datagram;
    if (destinationPort === DHCP_SERVER_PORT && (packet.destination === BROADCAST || packet.destination === NatAddress.Router)) {
      const answer = answerDhcp(payload, LEASE);
      const route = { ...this.#route(NatAddress.Router, BROADCAST), destinationMac: BROADCAST_MAC };
      if (answer) this.options.device.receive(writeUdp(route, DHCP_SERVER_PORT, DHCP_CLIENT_PORT, answer));
      return;
    }
    // Port 0 is invalid, and the computer's sockets reject it with an exception.
    if (packet.destination === BROADCAST || destinationPort === 0) return;
    const key = keyOf(packet, sourcePort, destinationPort);
    const back = (bytes: Uint8Array) =>
      this.#receive(writeUdp(this.#route(packet.destination, packet.source), destinationPort, sourcePort, bytes));
    const dns = isDns(packet.destination, destinationPort);
    // Continues a flow that was begun from outside by a forwarded port.
    const verdict = this.#flows.has(key) ? undefined : this.#judge(packet.destination, destinationPort);
    if (verdict && !verdict.allowed) {
      const answer = dns ? refusedAnswer(payload) : undefined;
      if (answer) back(answer);
      return;
    }
    if (!this.#flows.has(key) && !this.#mayOpen()) return;
    const answered = (bytes: Uint8Array) => {
      const message = filteredAnswer(bytes, (address) => mayAnswer(this.options.policy, address));
      if (message) back(message);
    };
    const datagrams = this.#flow(key, () => {
      const outside = this.#outside(packet.destination, destinationPort);
      const { network, onProblem } = this.options;
      return network.datagrams(outside, destinationPort, verdict?.own ?? false, dns ? answered : back, onProblem);
    });
    datagrams.send(payload.slice());
  }

  /** The flow with this key, opened if it does not exist; it is kept for a while from now on. */
  #flow(key: string, open: () => OutsideDatagrams): OutsideDatagrams {
    const known = this.#flows.get(key);
    if (known) {
      known.forget();
      this.#flows.delete(key);
    } else if (this.#flows.size >= UDP_MAX) {
      const [oldest] = this.#flows.keys();
      this.#closeFlow(oldest);
    }
    const datagrams = known?.datagrams ?? open();
    const forget = this.options.network.later(UDP_IDLE_MS, () => this.#closeFlow(key));
    this.#flows.set(key, { datagrams, forget });
    return datagrams;
  }

  /**
   * Datagrams to a port of the computer come from the router, each peer by its own port; the
   * guest's answers go back to the peer.
   */
  #forwardDatagrams(computerPort: number, guestPort: number): void {
    const port = this.options.network.datagramPort(computerPort, (peer, bytes) => {
      this.#flow(keyOf(FORWARDED, guestPort, peer.port), () => ({
        send: (answer) => port.send(peer, answer),
        close: () => {},
      }));
      this.#receive(writeUdp(this.#route(NatAddress.Router, NatAddress.Guest), peer.port, guestPort, bytes));
    }, this.options.onProblem);
    this.#listeners.push(port);
  }

  #closeFlow(key: string): void {
    const flow = this.#flows.get(key);
    if (!flow) return;
    this.#flows.delete(key);
    flow.forget();
    flow.datagrams.close();
  }

  #tcp(packet: IpPacket): void {
    const segment = readTcp(packet);
    if (!segment) return;
    const { sourcePort, destinationPort } = segment;
    const key = keyOf(packet, sourcePort, destinationPort);
    let connection = this.#connections.get(key);
    if (!connection) {
      const opens = (segment.flags & (TcpFlag.SYN | TcpFlag.ACK | TcpFlag.RST)) === TcpFlag.SYN;
      const verdict = opens ? this.#judge(packet.destination, destinationPort) : undefined;
      if (!verdict?.allowed || !this.#hasRoom() || !this.#mayOpen()) {
        if (segment.flags & TcpFlag.RST) return;
        const next = segment.sequence + segment.payload.length + (segment.flags & TcpFlag.SYN ? 1 : 0) >>> 0;
        const reset = { ...refusal(next), sequence: segment.flags & TcpFlag.ACK ? segment.acknowledgment : 0 };
        this.options.device.receive(
          writeTcp(this.#route(packet.destination, packet.source), { ...reset, sourcePort: destinationPort, destinationPort: sourcePort }),
        );
        return;
      }
      connection = this.#connection(key, packet, destinationPort, sourcePort, true);
      connection.receive(segment);
      const outside = this.#outside(packet.destination, destinationPort);
      const listener = isDns(packet.destination, destinationPort) ? this.#dnsListener(connection) : connection;
      connection.carry(this.options.network.connect(outside, destinationPort, verdict.own, listener));
      return;
    }
    connection.receive(segment);
  }

  /** A connection of the computer to a forwarded port becomes one from the router to the guest. */
  #forward(computerPort: number, guestPort: number): void {
    const listener = this.options.network.listen(computerPort, (stream) => {
      const { key, port } = this.#forwardPort(guestPort);
      const connection = this.#connection(key, FORWARDED, port, guestPort, false);
      connection.carry(stream);
      return connection;
    }, this.options.onProblem);
    this.#listeners.push(listener);
  }

  /** The next port of the router that no connection to this port of the guest's has. */
  #forwardPort(guestPort: number): { key: string; port: number } {
    for (let tried = 1;; tried++) {
      const port = FORWARD_PORT_BASE + this.#forwarded++ % FORWARD_PORTS;
      const key = keyOf(FORWARDED, guestPort, port);
      if (!this.#connections.has(key) || tried === FORWARD_PORTS) return { key, port };
    }
  }

  /** @param ends `source` is the guest's, `destination` the peer's */
  #connection(key: string, ends: Ends, peerPort: number, guestPort: number, incoming: boolean): TcpConnection {
    const { source: guest, destination: peer } = ends;
    const connection = new TcpConnection({
      mss: SEGMENT_MAX[kindOf(peer)],
      send: (segment) => {
        if (!this.options.device.room) return false;
        const frame = writeTcp(this.#route(peer, guest), { ...segment, sourcePort: peerPort, destinationPort: guestPort });
        this.options.device.receive(frame);
        return true;
      },
      closed: () => this.#connections.delete(key),
      later: (milliseconds, action) => this.options.network.later(milliseconds, action),
      initialSequence: () => this.#sequence = this.#sequence + 64_000 >>> 0,
    }, incoming);
    this.#connections.set(key, connection);
    return connection;
  }

  /** Whether the guest may reach a port; of each kind that it may not, it is said once. */
  #judge(address: Address, port: number): Verdict {
    const { policy } = this.options;
    if (isDns(address, port)) return { allowed: mayResolve(policy), kind: "internet", own: true };
    const verdict = judge(policy, address, this.#outside(address, port), port);
    if (!verdict.allowed) {
      this.#tell(verdict.kind, () => `the guest may not reach ${endpointText(address, port)}; ${WAYS_OUT[verdict.kind]} allows it`);
    }
    return verdict;
  }

  /** Whether one more TCP connection has room. */
  #hasRoom(): boolean {
    if (this.#connections.size < TCP_MAX) return true;
    this.#tell(
      "connections",
      () => `the guest has ${TCP_MAX} TCP connections, the most of a network card; more are refused until some end`,
    );
    return false;
  }

  /** Counts a connection or flow that the guest opens; false when it opens too many per second. */
  #mayOpen(): boolean {
    this.#opened ??= { count: 0, forget: this.options.network.later(OPENED_WINDOW_MS, () => this.#opened = undefined) };
    if (++this.#opened.count <= OPENED_MAX) return true;
    this.#tell(
      "rate",
      () => `the guest opens more than ${OPENED_MAX} connections per second, the limit of a network card; others are refused`,
    );
    return false;
  }

  /** Counts a packet that goes nowhere. */
  #lose(what: Loss, message: () => string): void {
    this.options.device.lose();
    this.#tell(what, message);
  }

  /** Says something once. */
  #tell(what: AddressKind | Limit | Loss, message: () => string): void {
    if (this.#told.has(what)) return;
    this.#told.add(what);
    this.options.onProblem(message());
  }

  /** Answers of the resolver over TCP; data that is not DNS ends the connection. */
  #dnsListener(connection: TcpConnection): StreamListener {
    const stream = new DnsStream((address) => mayAnswer(this.options.policy, address));
    return {
      connected: () => connection.connected(),
      data: (bytes) => {
        const filtered = stream.append(bytes);
        if (!filtered) connection.destroy();
        else if (filtered.length) connection.data(filtered);
      },
      ended: () => connection.ended(),
      full: () => connection.full(),
      drained: () => connection.drained(),
      closed: (problem) => connection.closed(problem),
    };
  }

  /** Where on the computer's side an address of the guest's leads. */
  #outside(address: Address, port: number): Address {
    if (isDns(address, port)) return this.options.network.nameServer;
    if (typeof address === "number") return OURS.includes(address) ? LOOPBACK : address;
    return OURS6.includes(address) ? LOOPBACK6 : plainAddress(address);
  }

  #route(source: Address, destination: Address): Route {
    return { sourceMac: ROUTER_MAC, source, destinationMac: this.#guestMac, destination };
  }
}

/** Options that allow a guest to reach a kind of addresses. */
const WAYS_OUT: Readonly<Record<AddressKind, string>> = {
  host: "--net user,host=yes",
  lan: "--net user,lan=yes",
  link: "--net user,allow=ADDRESS:PORT",
  none: "--net user,allow=ADDRESS:PORT",
  internet: "--net user,internet=yes",
};

/** Source and destination of a packet: `source` is the guest. */
type Ends = Pick<IpPacket, "source" | "destination">;
/** Of a connection or flow that begins at a forwarded port. */
const FORWARDED: Ends = { source: NatAddress.Guest, destination: NatAddress.Router };

/**
 * Key of a connection or flow. It contains the guest's address only for IPv6, where a guest may
 * have several; keys of IPv6 and IPv4 never collide.
 */
function keyOf({ source, destination }: Ends, guestPort: number, peerPort: number): string {
  return `${typeof source === "number" ? "" : source}:${guestPort}:${destination}:${peerPort}`;
}

function kindOf(address: Address): "number" | "string" {
  return typeof address === "number" ? "number" : "string";
}
