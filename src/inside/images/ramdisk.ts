// The files that Linux unpacks first: archives, plain or compressed, one after the other
// (init/initramfs.c and lib/decompress_*.c in its sources; initramfs buffer format). Defects are
// found by headers and lengths, before the kernel comes to them.

import { latin1 } from "./kernel-image.ts";
import { zstdFrameEnd } from "../../kit/formats/zstd.ts";
import { node } from "../../kit/support/node-modules.ts";
import { MiB } from "../../kit/support/values/sizes.ts";

/** A defect, as the findings before a boot have it (`model/queries/facts/boot-finding.ts`). */
type Defect =
  | {
    readonly code: "ramdisk-cut";
    readonly what: "cpio archive" | "gzip stream" | "lz4 file" | "xz file" | "zstd frame";
    readonly size: number;
  }
  | { readonly code: "ramdisk-packed"; readonly how: "lz4-frame" | "xz-crc64" | "xz-sha256" | "u-boot" }
  | { readonly code: "ramdisk-unaligned"; readonly at: number };
/** A part of a ramdisk: its end, null where it must be unpacked for that, or its defect. */
type Part = { readonly end: number | null } | Defect;

/** Linux looks for an archive at multiples of this. */
const ALIGNMENT = 4;
const aligned = (at: number) => Math.ceil(at / ALIGNMENT) * ALIGNMENT;
const UNKNOWN: Part = { end: null };

/** The first defect of a ramdisk. */
export function ramdiskDefect(bytes: Uint8Array): Defect | undefined {
  for (let at = 0, before: "archive" | "packed" | undefined;;) {
    at = afterZeros(bytes, at);
    if (at >= bytes.length) return undefined;
    const kind = bytes[at] === DIGIT_0 ? "archive" : "packed";
    if (before && at % ALIGNMENT !== 0 && (before === "archive" || kind === "archive")) return { code: "ramdisk-unaligned", at };
    const part = kind === "archive" ? archive(bytes, at) : packed(bytes, at);
    if ("code" in part) return part;
    // A plain archive is found among compressed data, in which its header does not occur.
    const end = part.end ?? plainArchive(bytes, at + 1);
    if (end === undefined) return undefined;
    [at, before] = [end, kind];
  }
}

/** Where zeros end, which Linux skips between two parts. */
function afterZeros(bytes: Uint8Array, start: number): number {
  let at = start;
  while (at < bytes.length && bytes[at] === 0) at++;
  return at;
}

const DIGIT_0 = 0x30, DIGIT_7 = 0x37;
/** Bytes of the header of a cpio entry (newc), and the places of two of its numbers. */
const CPIO_HEADER = 110, CPIO_FILE_SIZE = 54, CPIO_NAME_SIZE = 94, CPIO_DIGITS = 8;
/** Entries of an archive that are looked at, in 100 ms. */
const ENTRIES_MOST = 100_000;
const CPIO_MAGIC = /^07070[12]$/, CPIO_TRAILER = "TRAILER!!!\0";

/** The archive of files (cpio) at a place of a ramdisk, or unpacked from one of this size. */
function archive(bytes: Uint8Array, start: number, size = bytes.length): Part {
  const text = (at: number, length: number) => latin1(bytes, at, at + length);
  const cut = { code: "ramdisk-cut", what: "cpio archive", size } as const;
  for (let at = start, entries = 0; at + CPIO_HEADER <= bytes.length; entries++) {
    // The rest is left to the kernel.
    if (entries >= ENTRIES_MOST) return { end: bytes.length };
    // Other parts may follow an archive that has no end.
    if (!CPIO_MAGIC.test(text(at, 6))) return at === start ? UNKNOWN : { end: at };
    const [fileSize, nameSize] = [CPIO_FILE_SIZE, CPIO_NAME_SIZE].map((place) => parseInt(text(at + place, CPIO_DIGITS), 16));
    const data = start + aligned(at - start + CPIO_HEADER + nameSize), end = data + fileSize;
    if (!(end <= bytes.length)) return cut;
    if (nameSize === CPIO_TRAILER.length && text(at + CPIO_HEADER, nameSize) === CPIO_TRAILER) return { end };
    at = start + aligned(end - start);
  }
  return cut;
}

/** Where the first header of a cpio entry is. */
function plainArchive(bytes: Uint8Array, start: number): number | undefined {
  const isDigit = (byte: number) => byte >= 0x30 && byte <= 0x39 || byte >= 0x41 && byte <= 0x46 || byte >= 0x61 && byte <= 0x66;
  for (let at = bytes.indexOf(DIGIT_0, start); at >= 0 && at + CPIO_HEADER <= bytes.length; at = bytes.indexOf(DIGIT_0, at + 1)) {
    if (bytes[at + 1] === DIGIT_7 && bytes.subarray(at, at + CPIO_HEADER).every(isDigit)) return at;
  }
  return undefined;
}

/** Beginnings of parts that are not plain, and what each is. */
const FORMATS: readonly (readonly [magic: readonly number[], read: (bytes: Uint8Array, start: number) => Part])[] = [
  [[0x1f, 0x8b], gzip],
  [[0x28, 0xb5, 0x2f, 0xfd], zstd],
  [[0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00], xz],
  [[0x02, 0x21, 0x4c, 0x18], legacyLz4],
  [[0x04, 0x22, 0x4d, 0x18], () => ({ code: "ramdisk-packed", how: "lz4-frame" })],
  [[0x27, 0x05, 0x19, 0x56], () => ({ code: "ramdisk-packed", how: "u-boot" })],
];

function packed(bytes: Uint8Array, start: number): Part {
  const begins = (magic: readonly number[]) => magic.every((byte, at) => bytes[start + at] === byte);
  // bzip2, lzma and lzop, of which the end cannot be told, and other files.
  return FORMATS.find(([magic]) => begins(magic))?.[1](bytes, start) ?? UNKNOWN;
}

/**
 * Bytes of a gzip stream whose end is looked for, and what it may unpack to: that takes 60 ms.
 * A longer one is unpacked by the kernel alone, which says if it is cut.
 */
const GZIP_MOST = 4 * MiB, UNPACKED_MOST = 16 * MiB;

function gzip(bytes: Uint8Array, start: number): Part {
  const stream = bytes.subarray(start);
  if (stream.length > GZIP_MOST) return UNKNOWN;
  try {
    const unpacked = node.zlib.gunzipSync(stream, { maxOutputLength: UNPACKED_MOST });
    const within = unpacked[0] === DIGIT_0 ? archive(unpacked, 0, bytes.length) : UNKNOWN;
    return "code" in within ? within : UNKNOWN;
  } catch (error) {
    // A larger one, and one that is damaged, are left to the kernel.
    const isCut = error instanceof Error && "code" in error && error.code === "Z_BUF_ERROR";
    return isCut ? { code: "ramdisk-cut", what: "gzip stream", size: bytes.length } : UNKNOWN;
  }
}

function zstd(bytes: Uint8Array, start: number): Part {
  const end = zstdFrameEnd((offset, size) => bytes.subarray(offset, offset + size), start);
  return end === undefined ? { code: "ramdisk-cut", what: "zstd frame", size: bytes.length } : { end };
}

/**
 * The place of an xz stream's flags, and values of the second one: its check (The .xz File Format,
 * 2.1.1.2).
 */
const XZ_FLAGS = 6, XZ_CHECKS: Readonly<Record<number, "xz-crc64" | "xz-sha256">> = { 4: "xz-crc64", 10: "xz-sha256" };
/** Its footer (2.1.2), from the end on: "YZ", two flags, its index's size, a CRC32 of both. */
const XZ_FOOTER = 12, XZ_SUMMED = 6, XZ_END = [0x59, 0x5a];

function xz(bytes: Uint8Array, start: number): Part {
  const how = XZ_CHECKS[bytes[start + XZ_FLAGS + 1]];
  if (how) return { code: "ramdisk-packed", how };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const isFooter = (end: number) =>
    bytes[end - 1] === XZ_END[1] && bytes[end - 4] === bytes[start + XZ_FLAGS] && bytes[end - 3] === bytes[start + XZ_FLAGS + 1] &&
    view.getUint32(end - XZ_FOOTER, true) === node.zlib.crc32(bytes.subarray(end - 8, end - 8 + XZ_SUMMED));
  // From the end on: mostly the stream is all there is.
  for (let at = bytes.lastIndexOf(XZ_END[0]); at >= start + XZ_FOOTER * 2; at = bytes.lastIndexOf(XZ_END[0], at - 1)) {
    if (isFooter(at + XZ_END.length)) return { end: at + XZ_END.length };
  }
  return { code: "ramdisk-cut", what: "xz file", size: bytes.length };
}

/** A block of a legacy lz4 file, at its longest: of 8 MiB that do not shrink. */
const LZ4_MAGIC = 0x184c2102, LZ4_BLOCK = 8 * MiB, LZ4_MOST = LZ4_BLOCK + Math.ceil(LZ4_BLOCK / 255) + 16;
const WORD = 4;

function legacyLz4(bytes: Uint8Array, start: number): Part {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = start + WORD; at + WORD <= bytes.length;) {
    const size = view.getUint32(at, true);
    at += WORD;
    if (size === LZ4_MAGIC) continue;
    // No block: zeros, or something else that follows.
    if (size === 0 || size > LZ4_MOST) return { end: at - WORD };
    if (at + size > bytes.length) return { code: "ramdisk-cut", what: "lz4 file", size: bytes.length };
    at += size;
  }
  return { end: bytes.length };
}
