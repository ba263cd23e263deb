// The sections of a snapshot file, packed as in the file, for tests that change them.

import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { crc32, gunzipSync, gzipSync } from "node:zlib";

const MAGIC = new TextEncoder().encode("EL2SNAP\n");
const HEADER_SIZE = 16;
/** Kinds of sections. */
export const FIELDS = 3, PAGES = 4;
const END = 5;

/** A section in a file, and its header. */
export interface Section {
  readonly kind: number;
  readonly coding: number;
  readonly reserved: number;
  readonly stored: Uint8Array;
  /** The value in the header. */
  readonly storedSize: number;
  readonly size: number;
}

/** The sections of a file. */
export function sectionsOf(bytes: Uint8Array): Section[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const sections: Section[] = [];
  for (let at = MAGIC.length; at < bytes.length;) {
    const storedSize = view.getUint32(at + 4, true), size = view.getUint32(at + 8, true);
    const stored = bytes.subarray(at + HEADER_SIZE, at + HEADER_SIZE + storedSize);
    sections.push({ kind: bytes[at], coding: bytes[at + 1], reserved: 0, stored, storedSize, size });
    at += HEADER_SIZE + storedSize;
  }
  return sections;
}

/**
 * The file of these sections. The checksum of each section is correct, and that of the file, which
 * is the last section of kind END.
 * @param keepEnd the file's checksum stays what it is in `sections`, with its own checksum correct
 */
export function fileOf(sections: readonly Section[], keepEnd = false): Uint8Array {
  const sum = createHash("sha256");
  const parts: Uint8Array[] = [];
  const add = (part: Uint8Array) => {
    parts.push(part);
    sum.update(part);
  };
  add(MAGIC);
  const end = sections.findLastIndex(({ kind }) => kind === END);
  for (const [index, section] of sections.entries()) {
    const right = sum.copy().digest();
    const stored = index === end && !keepEnd && section.stored.length === right.length ? right : section.stored;
    const header = new DataView(new ArrayBuffer(HEADER_SIZE));
    header.setUint8(0, section.kind);
    header.setUint8(1, section.coding);
    header.setUint16(2, section.reserved, true);
    header.setUint32(4, section.storedSize, true);
    header.setUint32(8, section.size, true);
    header.setUint32(12, crc32(stored), true);
    add(new Uint8Array(header.buffer));
    add(stored);
  }
  return Buffer.concat(parts);
}

/** A section with other content, packed or not, whose sizes are right. */
export function holding({ kind, reserved }: Section, content: Uint8Array, packed: boolean): Section {
  const small = packed ? gzipSync(content, { level: 1 }) : content;
  const stored = small.length < content.length ? small : content;
  return { kind, reserved, coding: stored === content ? 0 : 1, stored, storedSize: stored.length, size: content.length };
}

/** The content of a section, unpacked. */
export const contentOf = ({ coding, stored }: Section): Uint8Array => coding === 1 ? gunzipSync(stored) : stored;
