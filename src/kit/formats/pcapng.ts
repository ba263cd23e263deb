// Writes pcapng files (IETF draft-ietf-opsawg-pcapng): one section, little-endian, times in ns of
// virtual time. Blocks are encoded as soon as they are made, so that a capture can be streamed into
// a file; nothing is kept.

/** Link types that el2 captures (draft-ietf-opsawg-pcaplinktype). */
export const LinkType = { Ethernet: 1, User0: 147 } as const;

interface CaptureInterface {
  readonly name: string;
  readonly description: string;
  /** One of `LinkType`, or another registered number of 16 bits. */
  readonly linkType: number;
}

interface CapturedPacket {
  /** Index of its interface, in the order of `interfaceBlock` calls. */
  readonly interface: number;
  /** Virtual time in whole ns. */
  readonly time: number;
  readonly bytes: Uint8Array;
  /** As the interface's owner sees it. */
  readonly direction?: "in" | "out";
  readonly comment?: string;
}

/** Block types (section 11.1). */
const Block = { SectionHeader: 0x0a0d_0d0a, Interface: 1, EnhancedPacket: 6 } as const;
/** Options by block (sections 3.5, 4.1, 4.2, 4.3); code 1 is a comment everywhere. */
const Option = {
  End: 0,
  Comment: 1,
  SectionApplication: 4,
  InterfaceName: 2,
  InterfaceDescription: 3,
  TimeResolution: 9,
  PacketFlags: 2,
} as const;
const BYTE_ORDER_MAGIC = 0x1a2b_3c4d;
/** The length of a section whose end is not known yet. */
const UNKNOWN_LENGTH = 0xffff_ffff_ffff_ffffn;
/** Times are multiples of 10^-9 s. */
const NANOSECONDS = 9;
const DIRECTIONS = { in: 1, out: 2 } as const;
/** Type, length, and the length again after the body. */
const BLOCK_FRAME = 12;
/** An option's length has 16 bits. */
const MAXIMUM_OPTION = 0xffff;

const padded = (length: number) => length + 3 & ~3;

/** The first block of a file. */
export function sectionHeader(application: string): Uint8Array<ArrayBuffer> {
  const fixed = new DataView(new ArrayBuffer(16));
  fixed.setUint32(0, BYTE_ORDER_MAGIC, true);
  fixed.setUint16(4, 1, true);
  fixed.setBigUint64(8, UNKNOWN_LENGTH, true);
  return block(Block.SectionHeader, bytesOf(fixed), [option(Option.SectionApplication, text(application))]);
}

/** The block that declares an interface; the first one has index 0. Packets are never cut. */
export function interfaceBlock({ name, description, linkType }: CaptureInterface): Uint8Array<ArrayBuffer> {
  const fixed = new DataView(new ArrayBuffer(8));
  fixed.setUint16(0, linkType, true);
  return block(Block.Interface, bytesOf(fixed), [
    option(Option.InterfaceName, text(name)),
    option(Option.InterfaceDescription, text(description)),
    option(Option.TimeResolution, Uint8Array.of(NANOSECONDS)),
  ]);
}

export function packetBlock({ interface: index, time, bytes, direction, comment }: CapturedPacket): Uint8Array<ArrayBuffer> {
  const fixed = new DataView(new ArrayBuffer(20 + padded(bytes.length)));
  const at = BigInt(time);
  fixed.setUint32(0, index, true);
  fixed.setUint32(4, Number(at >> 32n), true);
  fixed.setUint32(8, Number(at & 0xffff_ffffn), true);
  fixed.setUint32(12, bytes.length, true);
  fixed.setUint32(16, bytes.length, true);
  bytesOf(fixed).set(bytes, 20);
  const options: Uint8Array[] = [];
  if (direction) options.push(option(Option.PacketFlags, Uint8Array.of(DIRECTIONS[direction], 0, 0, 0)));
  if (comment !== undefined) options.push(option(Option.Comment, text(comment)));
  return block(Block.EnhancedPacket, bytesOf(fixed), options);
}

const bytesOf = (view: DataView<ArrayBuffer>) => new Uint8Array(view.buffer);
const text = (value: string) => new TextEncoder().encode(value).subarray(0, MAXIMUM_OPTION);

function option(code: number, value: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(4 + padded(value.length));
  const view = new DataView(bytes.buffer);
  view.setUint16(0, code, true);
  view.setUint16(2, value.length, true);
  bytes.set(value, 4);
  return bytes;
}

function block(type: number, fixed: Uint8Array, options: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const parts = options.length ? [fixed, ...options, option(Option.End, new Uint8Array())] : [fixed];
  const length = BLOCK_FRAME + parts.reduce((sum, part) => sum + part.length, 0);
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, type, true);
  view.setUint32(4, length, true);
  let at = 8;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  view.setUint32(at, length, true);
  return bytes;
}
