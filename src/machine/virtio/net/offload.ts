// Offloads of a sending driver (virtio 1.2 section 5.1.6.2): unfinished checksums, and TCP segments
// as long as memory allows. A receiver that accepts them gets them as they are; for others they are
// completed here.

import { checksum } from "../../../kit/formats/packets.ts";

/** `struct virtio_net_hdr` with num_buffers, as VERSION_1 has it. */
export const NET_HEADER_SIZE = 12;
const Header = { Flags: 0, GsoType: 1, HeaderLength: 2, GsoSize: 4, ChecksumStart: 6, ChecksumOffset: 8, NumBuffers: 10 } as const;
const NEEDS_CHECKSUM = 1;
/** Kinds of segments; the highest bit (ECN) is kept. */
const Gso = { NONE: 0, TCP4: 1, TCP6: 4, KIND: 0x7f } as const;

const NOTHING = new Uint8Array(0);
const ETHERNET_HEADER = 14;
const ETHERTYPE_IPV4 = 0x0800, ETHERTYPE_IPV6 = 0x86dd;
const IPV4_HEADER = 20, IPV6_HEADER = 40;
/** Bytes of extension headers between IPv6's and TCP's. */
const EXTENSIONS_MAX = 256;
/**
 * No sender makes shorter segments of much data; a guest that did could make memory of a frame a
 * thousand times as long.
 */
const SEGMENT_MIN = 32;
const IP_PROTOCOL_TCP = 6;
const TCP_HEADER = 20;
const TcpByte = { Sequence: 4, Offset: 12, Flags: 13, Checksum: 16 } as const;
const TCP_FIN = 1, TCP_PSH = 8, TCP_CWR = 0x80;

/** The header before a frame. */
export interface Offload {
  /** The sum from `start` on belongs at `start + offset`, which holds that of the pseudo header. */
  readonly checksum?: ChecksumPlace;
  readonly segments?: Segments;
}

interface ChecksumPlace {
  readonly start: number;
  readonly offset: number;
}

/** Segments of `size` bytes of data, of this kind. */
interface Segments {
  readonly type: number;
  readonly size: number;
}

/** Nothing is left to do. */
export const WHOLE: Offload = {};

/** Offloads that a receiver accepts. */
interface OffloadTaker {
  readonly checksum: boolean;
  readonly tcp4: boolean;
  readonly tcp6: boolean;
}

/** Reads a header of the driver's; undefined if it does not fit its frame. */
export function readOffload(header: Uint8Array, frame: Uint8Array): Offload | undefined {
  const view = new DataView(header.buffer, header.byteOffset, NET_HEADER_SIZE);
  const type = view.getUint8(Header.GsoType), kind = type & Gso.KIND;
  const needs = (view.getUint8(Header.Flags) & NEEDS_CHECKSUM) !== 0;
  if (!needs) return kind === Gso.NONE ? WHOLE : undefined;
  const place = { start: view.getUint16(Header.ChecksumStart, true), offset: view.getUint16(Header.ChecksumOffset, true) };
  if (place.start + place.offset + 2 > frame.length) return undefined;
  if (kind === Gso.NONE) return { checksum: place };
  const size = view.getUint16(Header.GsoSize, true);
  const segments = { type, size };
  return size >= SEGMENT_MIN && headersOf(frame, place, segments) !== undefined ? { checksum: place, segments } : undefined;
}

/** The header that a receiver gets, which spans `buffers` buffers. */
export function writeOffload(offload: Offload, frame: Uint8Array, buffers: number): Uint8Array {
  const { checksum: place, segments } = offload;
  const bytes = new Uint8Array(NET_HEADER_SIZE);
  const view = new DataView(bytes.buffer);
  view.setUint16(Header.NumBuffers, buffers, true);
  if (place) {
    view.setUint8(Header.Flags, NEEDS_CHECKSUM);
    view.setUint16(Header.ChecksumStart, place.start, true);
    view.setUint16(Header.ChecksumOffset, place.offset, true);
  }
  if (place && segments) {
    view.setUint8(Header.GsoType, segments.type);
    view.setUint16(Header.GsoSize, segments.size, true);
    view.setUint16(Header.HeaderLength, headersOf(frame, place, segments) ?? 0, true);
  }
  return bytes;
}

/** Frames for this receiver from one: the frame as it is, or all its completed segments. */
export function finish(frame: Uint8Array, offload: Offload, taker: OffloadTaker): readonly { frame: Uint8Array; offload: Offload }[] {
  const { checksum: place, segments } = offload;
  if (!place) return [{ frame, offload }];
  const kind = segments && segments.type & Gso.KIND;
  if (taker.checksum && (kind === undefined || kind === Gso.TCP4 && taker.tcp4 || kind === Gso.TCP6 && taker.tcp6)) {
    return [{ frame, offload }];
  }
  const pieces = segments ? segmentsOf(frame, place, segments) : [frame.slice()];
  return pieces.map((piece) => ({ frame: finishChecksum(piece, place), offload: WHOLE }));
}

/** Bytes before the data of a TCP frame; undefined if it is not of the kind that it names. */
function headersOf(frame: Uint8Array, { start, offset }: ChecksumPlace, segments: Segments): number | undefined {
  const kind = segments.type & Gso.KIND;
  if (offset !== TcpByte.Checksum || start + TCP_HEADER > frame.length) return undefined;
  const ethertype = frame[12] << 8 | frame[13];
  const before = start - ETHERNET_HEADER;
  if (kind === Gso.TCP4) {
    const fits = before >= IPV4_HEADER && before === (frame[ETHERNET_HEADER] & 15) * 4;
    if (ethertype !== ETHERTYPE_IPV4 || !fits || frame[ETHERNET_HEADER + 9] !== IP_PROTOCOL_TCP) return undefined;
  } else if (
    kind !== Gso.TCP6 || ethertype !== ETHERTYPE_IPV6 || before < IPV6_HEADER || before > IPV6_HEADER + EXTENSIONS_MAX
  ) return undefined;
  const length = (frame[start + TcpByte.Offset] >> 4) * 4;
  return length >= TCP_HEADER && start + length <= frame.length ? start + length : undefined;
}

/**
 * Cuts a long segment as its sender would have without help (RFC 9293): sequence numbers, lengths,
 * flags of the last only.
 */
function segmentsOf(frame: Uint8Array, place: ChecksumPlace, segments: Segments): Uint8Array[] {
  const headers = headersOf(frame, place, segments);
  if (headers === undefined) throw new Error("a frame has lost its headers");
  const { size, type } = segments;
  const tcp = place.start;
  const whole = new DataView(frame.buffer, frame.byteOffset, frame.length);
  const pieces: Uint8Array[] = [];
  const data = frame.length - headers;
  for (let at = 0; at < data || at === 0; at += size) {
    const length = Math.min(size, data - at);
    const piece = new Uint8Array(headers + length);
    piece.set(frame.subarray(0, headers));
    piece.set(frame.subarray(headers + at, headers + at + length), headers);
    const view = new DataView(piece.buffer);
    view.setUint32(tcp + TcpByte.Sequence, whole.getUint32(tcp + TcpByte.Sequence) + at >>> 0);
    if (at + length < data) piece[tcp + TcpByte.Flags] &= ~(TCP_FIN | TCP_PSH);
    if (at > 0) piece[tcp + TcpByte.Flags] &= ~TCP_CWR;
    setIpLength(view, (type & Gso.KIND) === Gso.TCP4, pieces.length);
    // The pseudo header's sum has the length of what follows it.
    const pseudo = whole.getUint16(tcp + TcpByte.Checksum) + (~(frame.length - tcp) & 0xffff) + piece.length - tcp;
    view.setUint16(tcp + TcpByte.Checksum, ~checksum(NOTHING, pseudo) & 0xffff);
    pieces.push(piece);
  }
  return pieces;
}

function setIpLength(view: DataView, version4: boolean, number: number): void {
  const at = ETHERNET_HEADER;
  if (!version4) return view.setUint16(at + 4, view.byteLength - at - IPV6_HEADER);
  const header = (view.getUint8(at) & 15) * 4;
  view.setUint16(at + 2, view.byteLength - at);
  view.setUint16(at + 4, view.getUint16(at + 4) + number & 0xffff);
  view.setUint16(at + 10, 0);
  view.setUint16(at + 10, checksum(new Uint8Array(view.buffer, at, header)));
}

/**
 * Completes a checksum: the sum of the bytes after `start`, including that of the pseudo header at
 * its place. Changes the frame.
 */
function finishChecksum(frame: Uint8Array, { start, offset }: NonNullable<Offload["checksum"]>): Uint8Array {
  // For UDP, 0 would mean no checksum.
  const sum = checksum(frame.subarray(start)) || 0xffff;
  frame[start + offset] = sum >> 8;
  frame[start + offset + 1] = sum & 0xff;
  return frame;
}
