// Packets of the socket device (virtio 1.2 section 5.10.6): a header of 44 bytes and a payload.

/** Context ids with a special meaning. */
export const Cid = { HOST: 2, FIRST_GUEST: 3 } as const;

export const VSOCK_HEADER_SIZE = 44;
export const VSOCK_STREAM = 1;

export const VsockOp = { REQUEST: 1, RESPONSE: 2, RST: 3, SHUTDOWN: 4, RW: 5, CREDIT_UPDATE: 6, CREDIT_REQUEST: 7 } as const;

/** Flags of SHUTDOWN: the sender will receive no more, send no more. */
export const VsockShutdown = { RECEIVE: 1, SEND: 2 } as const;

/** One packet. Ports and credits are 32 bits; context ids here are below 2^32. */
export interface VsockPacket {
  readonly sourceCid: number;
  readonly destinationCid: number;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly type: number;
  readonly op: number;
  readonly flags: number;
  /**
   * Bytes of buffer that the sender has, and how many bytes it has taken out of it in all (modulo
   * 2^32).
   */
  readonly bufferSize: number;
  readonly forwarded: number;
  readonly payload: Uint8Array;
}

/**
 * Undefined if the bytes are not a packet: too short, a wrong length, or context ids beyond 32
 * bits.
 */
export function readVsock(bytes: Uint8Array): VsockPacket | undefined {
  if (bytes.length < VSOCK_HEADER_SIZE) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const length = view.getUint32(24, true);
  if (view.getUint32(4, true) !== 0 || view.getUint32(12, true) !== 0 || VSOCK_HEADER_SIZE + length > bytes.length) return undefined;
  return {
    sourceCid: view.getUint32(0, true),
    destinationCid: view.getUint32(8, true),
    sourcePort: view.getUint32(16, true),
    destinationPort: view.getUint32(20, true),
    type: view.getUint16(28, true),
    op: view.getUint16(30, true),
    flags: view.getUint32(32, true),
    bufferSize: view.getUint32(36, true),
    forwarded: view.getUint32(40, true),
    payload: bytes.subarray(VSOCK_HEADER_SIZE, VSOCK_HEADER_SIZE + length),
  };
}

export function writeVsock(packet: VsockPacket): Uint8Array {
  const bytes = new Uint8Array(VSOCK_HEADER_SIZE + packet.payload.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, packet.sourceCid, true);
  view.setUint32(8, packet.destinationCid, true);
  view.setUint32(16, packet.sourcePort, true);
  view.setUint32(20, packet.destinationPort, true);
  view.setUint32(24, packet.payload.length, true);
  view.setUint16(28, packet.type, true);
  view.setUint16(30, packet.op, true);
  view.setUint32(32, packet.flags, true);
  view.setUint32(36, packet.bufferSize, true);
  view.setUint32(40, packet.forwarded, true);
  bytes.set(packet.payload, VSOCK_HEADER_SIZE);
  return bytes;
}

/** The answer to a packet without a receiver. */
export function resetOf(packet: VsockPacket): VsockPacket {
  return {
    sourceCid: packet.destinationCid,
    destinationCid: packet.sourceCid,
    sourcePort: packet.destinationPort,
    destinationPort: packet.sourcePort,
    type: packet.type,
    op: VsockOp.RST,
    flags: 0,
    bufferSize: 0,
    forwarded: 0,
    payload: new Uint8Array(0),
  };
}
