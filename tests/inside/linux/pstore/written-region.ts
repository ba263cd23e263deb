// A region of ramoops as Linux lays it out (fs/pstore/ram.c and ram_core.c): zones of a size, each
// with a magic, the place of the next byte and the count of bytes, and then a ring of them.

import { deflateRawSync } from "node:zlib";

/** A zone: its size, and all bytes that were written to it one after another. */
export interface WrittenZone {
  readonly size: number;
  readonly written: Uint8Array;
}

const MAGIC = 0x4347_4244, HEADER = 12;
const encode = (text: string) => new TextEncoder().encode(text);

export const consoleZone = (size: number, text: string): WrittenZone => ({ size, written: encode(text) });

/** A part of a dump at this second of the day's time. */
export function dumpZone(size: number, seconds: number, text: string, packed = true): WrittenZone {
  return packed ? packedZone(size, seconds, deflateRawSync(text)) : zoneOf(size, `====${seconds}.000250-D\n`, encode(text));
}

/** A part of a dump that is compressed already. */
export const packedZone = (size: number, seconds: number, content: Uint8Array) => zoneOf(size, `====${seconds}.000250-C\n`, content);

const zoneOf = (size: number, header: string, content: Uint8Array): WrittenZone => ({
  size,
  written: new Uint8Array([...encode(header), ...content]),
});

export function writtenRegion(...zones: readonly WrittenZone[]): Uint8Array<ArrayBuffer> {
  const region = new Uint8Array(zones.reduce((sum, { size }) => sum + size, 0)), view = new DataView(region.buffer);
  let at = 0;
  for (const { size, written } of zones) {
    const room = size - HEADER;
    view.setUint32(at, MAGIC, true);
    view.setUint32(at + 4, written.length % room, true);
    view.setUint32(at + 8, Math.min(written.length, room), true);
    written.forEach((byte, index) => region[at + HEADER + index % room] = byte);
    at += size;
  }
  return region;
}
