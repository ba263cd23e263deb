// Records of ramoops (fs/pstore/ram_core.c, ram.c and platform.c in the kernel's sources): a region
// of memory that outlives a reset. It consists of zones, each a ring of bytes after a header. The
// content of a zone shows what it is: a dump of the log at an oops or a panic, the console's text,
// or what programs have written, which is not read.

import { MiB, PAGE_SIZE } from "../../../kit/support/values/sizes.ts";
import type { Work } from "../../../kit/support/values/work.ts";
import { BadMemory, type PhysicalMemory, textOf } from "../kernel/memory.ts";
import { PART, unpackedRecord } from "./packed-record.ts";

/** A region by its physical address. */
export interface RamoopsRegion {
  readonly base: number;
  readonly size: number;
}

/** A line of an earlier log. */
export interface PstoreLine {
  /** ns since that boot, as far as a line has them: whole microseconds. */
  readonly t: bigint;
  /** Facility and level; undefined in the console's text. */
  readonly priority: number | undefined;
  /** `T` and a thread or `C` and a CPU, where the kernel keeps it. */
  readonly caller: string | null;
  readonly text: string;
}

/** One record, as a file of /sys/fs/pstore has it. */
export interface PstoreRecord {
  /** The name of that file, such as `dmesg-ramoops-0`. */
  readonly name: string;
  /** Where its zone is. */
  readonly address: number;
  /** Of a dump: the time of day in us, and which part of the log it is; the latest is 1. */
  readonly dump: { readonly time: number; readonly part: number } | undefined;
  readonly lines: readonly PstoreLine[];
}

/** Bytes of the largest region that is read. */
export const REGION_MAX = 64 * MiB;
/** Zones begin at whole pages: the smallest record is one. */
const ZONE_ALIGN = PAGE_SIZE;
/** The magic, the place of the next byte, and how many bytes there are; then the bytes. */
const MAGIC = 0x4347_4244, HEADER = 12;
/** Characters that are one step. */
const CHARACTERS = 16;

/** Before a dump: the time of day, and whether what follows is compressed. */
const DUMP = /^====(\d{1,12})\.(\d{1,9})(?:-([CD]))?\n/;
const DUMP_HEADER = 40;
/** A line of a kernel's log. */
const LINE = /^(?:<(\d{1,4})>)?\[ {0,11}(\d{1,11})\.(\d{6})\](?:\[ {0,11}([TC]\d{1,10})\])? (.*)$/;

interface Zone {
  readonly address: number;
  readonly start: number;
  readonly size: number;
}

/** Whether bytes begin as a zone does. */
export const isZone = (bytes: Uint8Array): boolean =>
  bytes.length >= HEADER && new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true) === MAGIC;

/**
 * The records of a region that have lines of a log.
 * @param failed called for a record that cannot be read
 */
export function readRamoops(memory: PhysicalMemory, region: RamoopsRegion, work: Work, failed: (error: BadMemory) => void): PstoreRecord[] {
  const zones = zonesIn(memory, region, work), records: PstoreRecord[] = [], end = region.base + region.size;
  for (const [index, zone] of zones.entries()) {
    const room = (zones[index + 1]?.address ?? end) - zone.address - HEADER;
    if (zone.size === 0) continue;
    try {
      if (zone.size > room || zone.start > zone.size) throw damaged("the zone says that it has more bytes than it can have", zone);
      const record = recordOf(bytesOf(memory, zone, work), zone, index, work);
      if (record.lines.length > 0) records.push(record);
    } catch (error) {
      if (!(error instanceof BadMemory)) throw error;
      failed(error);
    }
  }
  return records;
}

const damaged = (what: string, { address }: Zone) => new BadMemory("invalid", what, BigInt(address));

function zonesIn(memory: PhysicalMemory, { base, size }: RamoopsRegion, work: Work): Zone[] {
  const zones: Zone[] = [];
  for (let address = base; address < base + Math.min(size, REGION_MAX); address += ZONE_ALIGN) {
    work.spend();
    const page = memory.page(address);
    if (!page || !isZone(page)) continue;
    const header = new DataView(page.buffer, page.byteOffset, HEADER);
    zones.push({ address, start: header.getUint32(4, true), size: header.getUint32(8, true) });
  }
  return zones;
}

/** The bytes of a zone, the oldest first. */
function bytesOf(memory: PhysicalMemory, zone: Zone, work: Work): Uint8Array<ArrayBuffer> {
  const { address, start, size } = zone, bytes = new Uint8Array(size), first = address + HEADER;
  for (let done = 0; done < size;) {
    const at = first + done, offset = at % PAGE_SIZE, length = Math.min(size - done, PAGE_SIZE - offset), page = memory.page(at - offset);
    work.spend();
    if (!page) throw new BadMemory("unmapped", "nothing is mapped", BigInt(at));
    bytes.set(page.subarray(offset, offset + length), done);
    done += length;
  }
  if (start === size) return bytes;
  const turned = new Uint8Array(size);
  turned.set(bytes.subarray(start));
  turned.set(bytes.subarray(0, start), size - start);
  return turned;
}

function recordOf(bytes: Uint8Array<ArrayBuffer>, zone: Zone, index: number, work: Work): PstoreRecord {
  const { address } = zone, [header, seconds, us, form] = DUMP.exec(textOf(bytes.subarray(0, DUMP_HEADER))) ?? [];
  if (header === undefined) return consoleRecord(bytes, address, work);
  const content = bytes.subarray(header.length), { first, lines } = linesOf(form === "C" ? unpacked(content, zone, work) : content, work);
  if (lines.length === 0) throw damaged("a dump of a log that has no lines with a time", zone);
  const dump = { time: 1e6 * Number(seconds) + Number(us), part: Number(PART.exec(first)?.[1] ?? 1) };
  return { name: `dmesg-ramoops-${index}`, address, dump, lines };
}

/** The console's text. */
export const consoleRecord = (bytes: Uint8Array, address: number, work: Work): PstoreRecord => ({
  name: "console-ramoops-0",
  address,
  dump: undefined,
  lines: linesOf(bytes, work).lines,
});

function unpacked(content: Uint8Array, zone: Zone, work: Work): Uint8Array {
  const bytes = unpackedRecord(content, work);
  if (!bytes) throw damaged("a record that is not compressed by deflate, lzo, lz4 or zstd, or not whole", zone);
  return bytes;
}

const DECODER = new TextDecoder();

/** The lines of a text that have a time, and its first line. */
function linesOf(bytes: Uint8Array, work: Work): { readonly first: string; readonly lines: PstoreLine[] } {
  work.spend(bytes.length / CHARACTERS | 0);
  const all = DECODER.decode(bytes).split("\n"), lines: PstoreLine[] = [];
  for (const one of all) {
    const [, priority, seconds, us, caller = null, text = ""] = LINE.exec(one) ?? [];
    if (seconds === undefined) continue;
    const t = (BigInt(seconds) * 1_000_000n + BigInt(us)) * 1000n;
    lines.push({ t, priority: priority === undefined ? undefined : Number(priority), caller, text });
  }
  return { first: all[0], lines };
}
