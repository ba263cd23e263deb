// A GUID partition table (UEFI specification 2.10, section 5.3) for partitions whose places are
// known.

import { node } from "../support/node-modules.ts";

/** Entries that a table has room for, and bytes of an entry. */
export const GPT_ENTRIES = 128;
const ENTRY = 128;
/** UTF-16 units of a partition's name. */
export const GPT_NAME = 36;
/** Bytes of a header that its checksum is of. */
const HEADER = 92;
/** The beginning of a header, which is in the second sector. */
export const GPT_SIGNATURE = new TextEncoder().encode("EFI PART");
const REVISION = 0x1_0000;
/** Of a partition with a file system, or whatever else Linux has in it. */
const LINUX_DATA = "0fc63daf-8483-4772-8e79-3d69d8477de4";

export const GUID_PATTERN = "^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$";

/** A partition of a table; place and size are bytes. */
export interface GptEntry {
  readonly label: string;
  readonly guid: string;
  readonly offset: number;
  readonly size: number;
}

interface GptDisk {
  readonly guid: string;
  /** Bytes of a sector. */
  readonly sector: number;
  /** Bytes of the disk, in whole sectors. */
  readonly size: number;
  /** At most `GPT_ENTRIES`. */
  readonly entries: readonly GptEntry[];
}

/** Bytes before the first partition: the protective record, the header, the entries. */
export const gptStart = (sector: number): number => 2 * sector + GPT_ENTRIES * ENTRY;
/** Bytes after the last one: the entries, the header. */
export const gptEnd = (sector: number): number => sector + GPT_ENTRIES * ENTRY;

/** The tables at both ends of the disk. */
export function gptTables(disk: GptDisk): { readonly start: Uint8Array; readonly end: Uint8Array } {
  const { sector, size } = disk, entries = entriesOf(disk), last = size / sector - 1;
  const start = new Uint8Array(gptStart(sector)), end = new Uint8Array(gptEnd(sector));
  start.set(protectiveRecord(last));
  start.set(headerOf(disk, entries, { own: 1, other: last, entries: 2 }), sector);
  start.set(entries, 2 * sector);
  end.set(entries);
  end.set(headerOf(disk, entries, { own: last, other: 1, entries: last - entries.length / sector }), entries.length);
  return { start, end };
}

/** A master boot record whose one partition is all of the disk (section 5.2.3). */
function protectiveRecord(last: number): Uint8Array {
  const record = new Uint8Array(512), view = new DataView(record.buffer), entry = 446;
  // From the second sector on, by cylinder, head and sector too.
  record.set([0, 0, 2, 0, 0xee, 0xff, 0xff, 0xff], entry);
  view.setUint32(entry + 8, 1, true);
  view.setUint32(entry + 12, Math.min(last, 0xffff_ffff), true);
  view.setUint16(510, 0xaa55, true);
  return record;
}

function entriesOf({ sector, entries }: GptDisk): Uint8Array {
  const bytes = new Uint8Array(GPT_ENTRIES * ENTRY), view = new DataView(bytes.buffer);
  for (const [index, { label, guid, offset, size }] of entries.entries()) {
    const at = index * ENTRY;
    bytes.set(guidBytes(LINUX_DATA), at);
    bytes.set(guidBytes(guid), at + 16);
    view.setBigUint64(at + 32, BigInt(offset / sector), true);
    view.setBigUint64(at + 40, BigInt((offset + size) / sector - 1), true);
    for (let unit = 0; unit < Math.min(label.length, GPT_NAME); unit++) view.setUint16(at + 56 + 2 * unit, label.charCodeAt(unit), true);
  }
  return bytes;
}

/** A header; `at`: its sector, the other header's, and that of its entries. */
function headerOf(
  { sector, size, guid }: GptDisk,
  entries: Uint8Array,
  at: { readonly own: number; readonly other: number; readonly entries: number },
): Uint8Array {
  const bytes = new Uint8Array(HEADER),
    view = new DataView(bytes.buffer),
    longs = (offset: number, values: readonly number[]) => {
      for (const [index, value] of values.entries()) view.setBigUint64(offset + 8 * index, BigInt(value), true);
    };
  bytes.set(GPT_SIGNATURE);
  view.setUint32(8, REVISION, true);
  view.setUint32(12, HEADER, true);
  longs(24, [at.own, at.other, gptStart(sector) / sector, (size - gptEnd(sector)) / sector - 1]);
  bytes.set(guidBytes(guid), 56);
  longs(72, [at.entries]);
  view.setUint32(80, GPT_ENTRIES, true);
  view.setUint32(84, ENTRY, true);
  view.setUint32(88, node.zlib.crc32(entries), true);
  view.setUint32(16, node.zlib.crc32(bytes), true);
  return bytes;
}

/** A GUID in its bytes: its first three parts are little-endian (appendix A). */
function guidBytes(guid: string): Uint8Array {
  const bytes = Uint8Array.fromHex(guid.replaceAll("-", ""));
  for (const [from, to] of [[0, 4], [4, 6], [6, 8]]) bytes.subarray(from, to).reverse();
  return bytes;
}
