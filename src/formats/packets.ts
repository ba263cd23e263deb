// Ethernet, ARP, IPv4, ICMP, UDP and TCP as bytes (RFC 894, 826, 791, 792, 768, 9293): the packets
// that the NAT reads from a guest and sends to it.

/** Address of IPv4 as an unsigned 32-bit number, most significant byte first. */
export type Ip = number;

export const EtherType = { IPV4: 0x0800, ARP: 0x0806 } as const;
export const IpProtocol = { ICMP: 1, TCP: 6, UDP: 17 } as const;
export const TcpFlag = { FIN: 1, SYN: 2, RST: 4, PSH: 8, ACK: 16 } as const;

const ETHERNET_HEADER = 14;
const IP_HEADER = 20;
const UDP_HEADER = 8;
const TCP_HEADER = 20;
/** Frames are at least this long on a wire. */
const FRAME_MIN = 60;
const TTL = 64;
const DONT_FRAGMENT = 0x4000;
const FRAGMENT = 0x3fff;

/** `10.0.2.15` as a number. */
export function ip(text: string): Ip {
  return text.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
}

/** The number as text. */
export function ipText(address: Ip): string {
  return [24, 16, 8, 0].map((shift) => address >>> shift & 0xff).join(".");
}

/** The Internet checksum (RFC 1071) of `bytes`, with `sum` of what stands elsewhere. */
export function checksum(bytes: Uint8Array, sum = 0): number {
  const even = bytes.length & ~1;
  for (let i = 0; i < even; i += 2) sum += bytes[i] << 8 | bytes[i + 1];
  if (even < bytes.length) sum += bytes[even] << 8;
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x1_0000);
  return ~sum & 0xffff;
}

/** A frame taken apart. */
export interface EthernetFrame {
  readonly source: Uint8Array;
  readonly type: number;
  readonly payload: Uint8Array;
}

/** Undefined where it is too short. */
export function readEthernet(frame: Uint8Array): EthernetFrame | undefined {
  if (frame.length < ETHERNET_HEADER) return undefined;
  return { source: frame.subarray(6, 12), type: frame[12] << 8 | frame[13], payload: frame.subarray(ETHERNET_HEADER) };
}

/** A request or reply for an IPv4 address. */
export interface Arp {
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

/** A datagram of IPv4, whole. */
export interface IpPacket {
  readonly protocol: number;
  readonly source: Ip;
  readonly destination: Ip;
  readonly payload: Uint8Array;
}

/** Undefined for a malformed packet or a fragment (guests here have no reason to send one). */
export function readIp(bytes: Uint8Array): IpPacket | undefined {
  if (bytes.length < IP_HEADER || bytes[0] >> 4 !== 4) return undefined;
  const view = viewOf(bytes);
  const header = (bytes[0] & 15) * 4, length = view.getUint16(2);
  if (header < IP_HEADER || length < header || length > bytes.length) return undefined;
  if (view.getUint16(6) & FRAGMENT || checksum(bytes.subarray(0, header)) !== 0) return undefined;
  return { protocol: bytes[9], source: view.getUint32(12), destination: view.getUint32(16), payload: bytes.subarray(header, length) };
}

/** Where a frame goes. */
export interface Route {
  readonly sourceMac: Uint8Array;
  readonly source: Ip;
  readonly destinationMac: Uint8Array;
  readonly destination: Ip;
}

/** An ICMP message. */
export function writeIcmp(route: Route, message: Uint8Array): Uint8Array {
  const frame = ipv4(route, IpProtocol.ICMP, message.length);
  frame.set(message, ETHERNET_HEADER + IP_HEADER);
  const body = frame.subarray(ETHERNET_HEADER + IP_HEADER, ETHERNET_HEADER + IP_HEADER + message.length);
  viewOf(body).setUint16(2, 0);
  viewOf(body).setUint16(2, checksum(body));
  return frame;
}

/** A datagram of UDP. */
export interface UdpDatagram {
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
  const frame = ipv4(route, IpProtocol.UDP, length);
  const datagram = frame.subarray(ETHERNET_HEADER + IP_HEADER, ETHERNET_HEADER + IP_HEADER + length);
  const view = viewOf(datagram);
  view.setUint16(0, sourcePort);
  view.setUint16(2, destinationPort);
  view.setUint16(4, length);
  datagram.set(payload, UDP_HEADER);
  view.setUint16(6, checksum(datagram, pseudoHeader(route, IpProtocol.UDP, length)) || 0xffff);
  return frame;
}

/** A segment of TCP. */
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
  const frame = ipv4(route, IpProtocol.TCP, length);
  const bytes = frame.subarray(ETHERNET_HEADER + IP_HEADER, ETHERNET_HEADER + IP_HEADER + length);
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
  view.setUint16(16, checksum(bytes, pseudoHeader(route, IpProtocol.TCP, length)));
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

function ipv4({ sourceMac, source, destinationMac, destination }: Route, protocol: number, payload: number): Uint8Array {
  const frame = ethernet(destinationMac, sourceMac, EtherType.IPV4, IP_HEADER + payload);
  const header = frame.subarray(ETHERNET_HEADER, ETHERNET_HEADER + IP_HEADER);
  const view = viewOf(header);
  header[0] = 0x45;
  view.setUint16(2, IP_HEADER + payload);
  view.setUint16(6, DONT_FRAGMENT);
  header[8] = TTL;
  header[9] = protocol;
  view.setUint32(12, source);
  view.setUint32(16, destination);
  view.setUint16(10, checksum(header));
  return frame;
}

function pseudoHeader({ source, destination }: Route, protocol: number, length: number): number {
  return (source >>> 16) + (source & 0xffff) + (destination >>> 16) + (destination & 0xffff) + protocol + length;
}
