// Ethernet, ARP, IPv4, IPv6, ICMP, UDP and TCP as bytes (RFC 894, 826, 791, 8200, 792, 4443, 768,
// 9293): the packets that the NAT reads from a guest and sends to it.

import { type Address, type Ip, type Ip6, ip6Bytes, readIp6 } from "./ip-addresses.ts";

export const EtherType = { IPV4: 0x0800, ARP: 0x0806, IPV6: 0x86dd } as const;
export const IpProtocol = { ICMP: 1, TCP: 6, UDP: 17, ICMPV6: 58 } as const;
export const TcpFlag = { FIN: 1, SYN: 2, RST: 4, PSH: 8, ACK: 16 } as const;

const ETHERNET_HEADER = 14;
const IP_HEADER = 20;
const IP6_HEADER = 40;
/** Offsets in the header of both addresses, which end it. */
const IP_ADDRESSES = 12, IP6_ADDRESSES = 8;
const UDP_HEADER = 8;
const TCP_HEADER = 20;
/** Frames are at least this long on a wire. */
const FRAME_MIN = 60;
const TTL = 64;
const DONT_FRAGMENT = 0x4000;
/** Flag and offset of a fragment, as IPv4 has them; IPv6 has both in the same units elsewhere. */
const MORE_FRAGMENTS = 0x2000, FRAGMENT_OFFSET = 0x1fff;
const FRAGMENT_HEADER = 8;

/** The Internet checksum (RFC 1071) of `bytes`, with `sum` of the bytes that are elsewhere. */
export function checksum(bytes: Uint8Array, sum = 0): number {
  const even = bytes.length & ~1;
  for (let i = 0; i < even; i += 2) sum += bytes[i] << 8 | bytes[i + 1];
  if (even < bytes.length) sum += bytes[even] << 8;
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x1_0000);
  return ~sum & 0xffff;
}

interface EthernetFrame {
  readonly source: Uint8Array;
  readonly type: number;
  readonly payload: Uint8Array;
}

/** Undefined if it is too short. */
export function readEthernet(frame: Uint8Array): EthernetFrame | undefined {
  if (frame.length < ETHERNET_HEADER) return undefined;
  return { source: frame.subarray(6, 12), type: frame[12] << 8 | frame[13], payload: frame.subarray(ETHERNET_HEADER) };
}

/** A request or reply for an IPv4 address. */
interface Arp {
  readonly operation: number;
  readonly senderMac: Uint8Array;
  readonly sender: Ip;
  readonly target: Ip;
}

export const ArpOperation = { REQUEST: 1, REPLY: 2 } as const;
const ARP_SIZE = 28;
const ARP_ETHERNET_IPV4 = 0x0001_0800;

export function readArp(bytes: Uint8Array): Arp | undefined {
  if (bytes.length < ARP_SIZE) return undefined;
  const view = viewOf(bytes);
  if (view.getUint32(0) !== ARP_ETHERNET_IPV4) return undefined;
  return { operation: view.getUint16(6), senderMac: bytes.subarray(8, 14), sender: view.getUint32(14), target: view.getUint32(24) };
}

/** A frame that says: `sender` is at `senderMac`. */
export function writeArpReply(senderMac: Uint8Array, sender: Ip, targetMac: Uint8Array, target: Ip): Uint8Array {
  const frame = ethernet(targetMac, senderMac, EtherType.ARP, ARP_SIZE);
  const view = viewOf(frame);
  view.setUint32(14, ARP_ETHERNET_IPV4);
  view.setUint16(18, 0x0604);
  view.setUint16(20, ArpOperation.REPLY);
  frame.set(senderMac, 22);
  view.setUint32(28, sender);
  frame.set(targetMac, 32);
  view.setUint32(38, target);
  return frame;
}

/** Which piece of a datagram a packet is (RFC 791 section 3.2, RFC 8200 section 4.5). */
export interface Fragment {
  readonly id: number;
  /** Bytes of the datagram before it. */
  readonly offset: number;
  /** Whether others follow it. */
  readonly more: boolean;
}

/** A packet of IPv4 or IPv6. */
export interface IpPacket<A extends Address = Address> {
  /** Of the content; of a later fragment of IPv6 that of the first one. */
  readonly protocol: number;
  /** Time to live, or hop limit. */
  readonly hops: number;
  readonly source: A;
  readonly destination: A;
  readonly payload: Uint8Array;
  /** Absent if it is the whole datagram. */
  readonly fragment?: Fragment;
}

/** Undefined for a malformed packet. */
export function readIp(bytes: Uint8Array): IpPacket<Ip> | undefined {
  if (bytes.length < IP_HEADER || bytes[0] >> 4 !== 4) return undefined;
  const view = viewOf(bytes);
  const header = (bytes[0] & 15) * 4, length = view.getUint16(2);
  if (header < IP_HEADER || length < header || length > bytes.length) return undefined;
  if (checksum(bytes.subarray(0, header)) !== 0) return undefined;
  const place = view.getUint16(6), offset = (place & FRAGMENT_OFFSET) * 8, more = (place & MORE_FRAGMENTS) !== 0;
  return {
    protocol: bytes[9],
    hops: bytes[8],
    source: view.getUint32(12),
    destination: view.getUint32(16),
    payload: bytes.subarray(header, length),
    ...(more || offset > 0) && { fragment: { id: view.getUint16(4), offset, more } },
  };
}

/** Extension headers that are accepted before a packet's content; any other refuses the packet. */
const Extension = { HOP_BY_HOP: 0, FRAGMENT: 44, DESTINATION: 60 } as const;

/** A packet's content behind extension headers; undefined if they do not fit. */
export function behindExtensions(protocol: number, bytes: Uint8Array): { protocol: number; payload: Uint8Array } | undefined {
  let at = 0;
  while (protocol === Extension.HOP_BY_HOP || protocol === Extension.DESTINATION) {
    if (at + 8 > bytes.length) return undefined;
    protocol = bytes[at];
    at += 8 * (bytes[at + 1] + 1);
  }
  return at > bytes.length ? undefined : { protocol, payload: bytes.subarray(at) };
}

/** Undefined for a malformed packet or a routing header (RFC 8200 section 4). */
export function readIpv6(bytes: Uint8Array): IpPacket<Ip6> | undefined {
  if (bytes.length < IP6_HEADER || bytes[0] >> 4 !== 6) return undefined;
  const end = IP6_HEADER + viewOf(bytes).getUint16(4);
  if (end > bytes.length) return undefined;
  const content = behindExtensions(bytes[6], bytes.subarray(IP6_HEADER, end));
  if (!content) return undefined;
  const addresses = { hops: bytes[7], source: readIp6(bytes.subarray(8, 24)), destination: readIp6(bytes.subarray(24, 40)) };
  if (content.protocol !== Extension.FRAGMENT) return { ...addresses, ...content };
  if (content.payload.length < FRAGMENT_HEADER) return undefined;
  const view = viewOf(content.payload), place = view.getUint16(2), offset = place & ~7, more = (place & 1) !== 0;
  const protocol = content.payload[0], payload = content.payload.subarray(FRAGMENT_HEADER);
  if (more || offset > 0) return { ...addresses, protocol, payload, fragment: { id: view.getUint32(4), offset, more } };
  const whole = behindExtensions(protocol, payload);
  return whole && { ...addresses, ...whole };
}

/** Where a frame goes; both addresses are of the same kind. */
export interface Route {
  readonly sourceMac: Uint8Array;
  readonly source: Address;
  readonly destinationMac: Uint8Array;
  readonly destination: Address;
}

/** A message of ICMP, or of ICMPv6 where the addresses are of IPv6. */
export function writeIcmp(route: Route, message: Uint8Array, hops?: number): Uint8Array {
  const six = typeof route.source === "string";
  const protocol = six ? IpProtocol.ICMPV6 : IpProtocol.ICMP;
  const { frame, content, addresses } = ipPacket(route, protocol, message.length, hops);
  content.set(message);
  const view = viewOf(content);
  view.setUint16(2, 0);
  view.setUint16(2, checksum(content, six ? pseudoHeader(addresses, protocol, content.length) : 0));
  return frame;
}

const ICMP_ERROR_HEADER = 8;
/** Bytes of a refused packet: of its content in an error of IPv4, of all of it in one of IPv6. */
const REFUSED_CONTENT = 8, REFUSED6_MAX = 1232;
/** Types and codes of "destination unreachable" (RFC 792, 1812 and 4443). */
const UNREACHABLE = { type: 3, protocol: 2, prohibited: 13 } as const;
const UNREACHABLE6 = { type: 1, protocol: 1, prohibited: 1 } as const;

/** A frame that says why a packet was not delivered: its protocol is unknown, or may not pass. */
export function writeUnreachable(route: Route, packet: IpPacket, why: "protocol" | "prohibited"): Uint8Array {
  const { source, destination, protocol, hops, payload } = packet, four = typeof source === "number";
  const { frame, content } = ipPacket({ ...route, source, destination }, protocol, payload.length, hops);
  content.set(payload);
  const most = four ? IP_HEADER + Math.min(REFUSED_CONTENT, payload.length) : Math.min(REFUSED6_MAX, IP6_HEADER + payload.length);
  const { type, [why]: code } = four ? UNREACHABLE : UNREACHABLE6, message = new Uint8Array(ICMP_ERROR_HEADER + most);
  message.set([type, code]);
  message.set(frame.subarray(ETHERNET_HEADER, ETHERNET_HEADER + most), ICMP_ERROR_HEADER);
  return writeIcmp(route, message);
}

interface UdpDatagram {
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly payload: Uint8Array;
}

export function readUdp({ payload: bytes }: IpPacket): UdpDatagram | undefined {
  if (bytes.length < UDP_HEADER) return undefined;
  const view = viewOf(bytes);
  const length = view.getUint16(4);
  if (length < UDP_HEADER || length > bytes.length) return undefined;
  return { sourcePort: view.getUint16(0), destinationPort: view.getUint16(2), payload: bytes.subarray(UDP_HEADER, length) };
}

export function writeUdp(route: Route, sourcePort: number, destinationPort: number, payload: Uint8Array): Uint8Array {
  const length = UDP_HEADER + payload.length;
  const { frame, content: datagram, addresses } = ipPacket(route, IpProtocol.UDP, length);
  const view = viewOf(datagram);
  view.setUint16(0, sourcePort);
  view.setUint16(2, destinationPort);
  view.setUint16(4, length);
  datagram.set(payload, UDP_HEADER);
  view.setUint16(6, checksum(datagram, pseudoHeader(addresses, IpProtocol.UDP, length)) || 0xffff);
  return frame;
}

export interface TcpSegment {
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly sequence: number;
  readonly acknowledgment: number;
  readonly flags: number;
  /** As it is in the header, not scaled. */
  readonly window: number;
  /** Options of a SYN: maximum segment size and window scale, where given. */
  readonly mss: number | undefined;
  readonly windowScale: number | undefined;
  readonly payload: Uint8Array;
}

const TcpOption = { END: 0, NOP: 1, MSS: 2, WINDOW_SCALE: 3 } as const;

export function readTcp({ payload: bytes }: IpPacket): TcpSegment | undefined {
  if (bytes.length < TCP_HEADER) return undefined;
  const view = viewOf(bytes);
  const header = (bytes[12] >> 4) * 4;
  if (header < TCP_HEADER || header > bytes.length) return undefined;
  let mss: number | undefined, windowScale: number | undefined;
  for (let at = TCP_HEADER; at < header && bytes[at] !== TcpOption.END;) {
    if (bytes[at] === TcpOption.NOP) {
      at++;
      continue;
    }
    const length = bytes[at + 1];
    if (length < 2 || at + length > header) break;
    if (bytes[at] === TcpOption.MSS && length === 4) mss = view.getUint16(at + 2);
    if (bytes[at] === TcpOption.WINDOW_SCALE && length === 3) windowScale = Math.min(14, bytes[at + 2]);
    at += length;
  }
  return {
    sourcePort: view.getUint16(0),
    destinationPort: view.getUint16(2),
    sequence: view.getUint32(4),
    acknowledgment: view.getUint32(8),
    flags: bytes[13],
    window: view.getUint16(14),
    mss,
    windowScale,
    payload: bytes.subarray(header),
  };
}

/** A segment's frame. `mss` and `windowScale` become options. */
export function writeTcp(route: Route, segment: TcpSegment): Uint8Array {
  const options = segment.mss === undefined ? 0 : segment.windowScale === undefined ? 4 : 8;
  const header = TCP_HEADER + options;
  const length = header + segment.payload.length;
  const { frame, content: bytes, addresses } = ipPacket(route, IpProtocol.TCP, length);
  const view = viewOf(bytes);
  view.setUint16(0, segment.sourcePort);
  view.setUint16(2, segment.destinationPort);
  view.setUint32(4, segment.sequence);
  view.setUint32(8, segment.acknowledgment);
  bytes[12] = header / 4 << 4;
  bytes[13] = segment.flags;
  view.setUint16(14, segment.window);
  if (segment.mss !== undefined) {
    view.setUint16(TCP_HEADER, TcpOption.MSS << 8 | 4);
    view.setUint16(TCP_HEADER + 2, segment.mss);
    if (segment.windowScale !== undefined) {
      view.setUint32(TCP_HEADER + 4, TcpOption.NOP << 24 | TcpOption.WINDOW_SCALE << 16 | 3 << 8 | segment.windowScale);
    }
  }
  bytes.set(segment.payload, header);
  view.setUint16(16, checksum(bytes, pseudoHeader(addresses, IpProtocol.TCP, length)));
  return frame;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

function ethernet(destination: Uint8Array, source: Uint8Array, type: number, payload: number): Uint8Array {
  const frame = new Uint8Array(Math.max(FRAME_MIN, ETHERNET_HEADER + payload));
  frame.set(destination);
  frame.set(source, 6);
  frame[12] = type >> 8;
  frame[13] = type & 0xff;
  return frame;
}

/** A frame with its headers; in it the place for the content, and the bytes of both addresses. */
interface Built {
  readonly frame: Uint8Array;
  readonly content: Uint8Array;
  readonly addresses: Uint8Array;
}

/** A frame with its headers for `length` bytes of content. */
function ipPacket(route: Route, protocol: number, length: number, hops = TTL): Built {
  const size = typeof route.source === "number" ? IP_HEADER : IP6_HEADER;
  const start = ETHERNET_HEADER + size;
  const frame = ethernet(
    route.destinationMac,
    route.sourceMac,
    typeof route.source === "number" ? EtherType.IPV4 : EtherType.IPV6,
    size + length,
  );
  const header = frame.subarray(ETHERNET_HEADER, start);
  if (typeof route.source === "number") writeIpv4(header, route.source, route.destination as Ip, protocol, length, hops);
  else writeIpv6(header, route.source, route.destination as Ip6, protocol, length, hops);
  const addresses = header.subarray(typeof route.source === "number" ? IP_ADDRESSES : IP6_ADDRESSES);
  return { frame, content: frame.subarray(start, start + length), addresses };
}

function writeIpv4(header: Uint8Array, source: Ip, destination: Ip, protocol: number, length: number, hops: number): void {
  const view = viewOf(header);
  header[0] = 0x45;
  view.setUint16(2, IP_HEADER + length);
  view.setUint16(6, DONT_FRAGMENT);
  header[8] = hops;
  header[9] = protocol;
  view.setUint32(12, source);
  view.setUint32(16, destination);
  view.setUint16(10, checksum(header));
}

function writeIpv6(header: Uint8Array, source: Ip6, destination: Ip6, protocol: number, length: number, hops: number): void {
  header[0] = 0x60;
  viewOf(header).setUint16(4, length);
  header[6] = protocol;
  header[7] = hops;
  header.set(ip6Bytes(source), 8);
  header.set(ip6Bytes(destination), 24);
}

/** The sum of a pseudo header: addresses as they are in the packet's header. */
function pseudoHeader(addresses: Uint8Array, protocol: number, length: number): number {
  return (~checksum(addresses) & 0xffff) + protocol + length;
}

/**
 * A frame as frames that fit the link: a datagram that does not is cut into fragments.
 * @param mtu bytes of a packet that the link carries
 * @param id of the datagram among those of its sender; 16 bits for IPv4
 */
export function fragmentsOf(frame: Uint8Array, mtu: number, id: number): Uint8Array[] {
  const packet = frame.subarray(ETHERNET_HEADER);
  if (packet.length <= mtu) return [frame];
  const four = packet[0] >> 4 === 4, size = four ? IP_HEADER : IP6_HEADER, own = four ? IP_HEADER : IP6_HEADER + FRAGMENT_HEADER;
  const content = packet.subarray(size), step = mtu - own & ~7, pieces: Uint8Array[] = [];
  for (let offset = 0; offset < content.length; offset += step) {
    const bytes = content.subarray(offset, offset + step), more = offset + step < content.length;
    const piece = new Uint8Array(ETHERNET_HEADER + own + bytes.length), header = piece.subarray(ETHERNET_HEADER), view = viewOf(header);
    piece.set(frame.subarray(0, ETHERNET_HEADER + size));
    piece.set(bytes, ETHERNET_HEADER + own);
    if (four) {
      view.setUint16(2, own + bytes.length);
      view.setUint16(4, id & 0xffff);
      view.setUint16(6, offset / 8 | (more ? MORE_FRAGMENTS : 0));
      view.setUint16(10, 0);
      view.setUint16(10, checksum(header.subarray(0, IP_HEADER)));
    } else {
      view.setUint16(4, FRAGMENT_HEADER + bytes.length);
      header[6] = Extension.FRAGMENT;
      header[IP6_HEADER] = packet[6];
      view.setUint16(IP6_HEADER + 2, offset | (more ? 1 : 0));
      view.setUint32(IP6_HEADER + 4, id);
    }
    pieces.push(piece);
  }
  return pieces;
}
