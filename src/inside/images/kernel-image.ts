// arm64 kernel images: the header of the Linux `Image` (Documentation/arch/arm64/booting.rst,
// section 4) and the containers that distributions wrap it in (gzip, EFI zboot).

import { ownFile } from "../../kit/support/files/written-files.ts";
import { cpuOfPlan, type CpuPlan, cpusWithPages, pageSizesOf } from "../../cpu/isa/cpus/cpus.ts";
import { GiB, KiB } from "../../kit/support/values/sizes.ts";
import { formatSize } from "../../kit/support/text/units.ts";
import { node } from "../../kit/support/node-modules.ts";
import { problemOf, UserError } from "../../kit/support/problem.ts";

/** The 64-byte header of an arm64 Image. */
interface ImageHeader {
  /** Offset of the image from a 2 MiB boundary of RAM, in bytes. */
  textOffset: number;
  /** Bytes of RAM that the image needs from its start, BSS included. */
  imageSize: number;
  /** Flags: bit 0 big endian, bits 2:1 page size, bit 3 placement anywhere in RAM. */
  flags: bigint;
}

/** `"ARM\x64"` at offset 56. */
const IMAGE_MAGIC = 0x644d_5241;
/** Text offset of images that say no size, as kernels before Linux 3.17 do. */
const OLD_TEXT_OFFSET = 0x8_0000;
/** Flags. */
const BIG_ENDIAN = 1n;
const Header = { textOffset: 8, imageSize: 16, flags: 24, magic: 56, size: 64 } as const;

/**
 * EFI zboot header: `"MZ"`, `"zimg"`, payload offset and size, then the compression's name as a C
 * string.
 */
const Zboot = { magic: 4, payloadOffset: 8, payloadSize: 12, compression: 24, compressionEnd: 56 } as const;

/** The header of an arm64 Image, or undefined if `bytes` is not one. */
export function imageHeader(bytes: Uint8Array): ImageHeader | undefined {
  if (bytes.length < Header.size) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(Header.magic, true) !== IMAGE_MAGIC) return undefined;
  const imageSize = Number(view.getBigUint64(Header.imageSize, true));
  return {
    textOffset: imageSize ? Number(view.getBigUint64(Header.textOffset, true)) : OLD_TEXT_OFFSET,
    imageSize,
    flags: view.getBigUint64(Header.flags, true),
  };
}

/**
 * PE/COFF: the offset in the file of the header's offset; offsets in the header of the number of
 * sections and of the optional header's size; offsets in a section header of the section's size and
 * offset in the file. `header` and `section` are bytes of these headers.
 */
const Pe = { at: 60, magic: 0x4550, sections: 6, optional: 20, header: 24, section: 40, rawSize: 16, rawAt: 20 } as const;

/** Bytes of a whole Image, by its PE/COFF header; undefined without one. */
export function wholeSize(image: Uint8Array): number | undefined {
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  const fits = (at: number, size: number) => at + size <= image.length;
  const at = fits(Pe.at, 4) ? view.getUint32(Pe.at, true) : image.length;
  if (!fits(at, Pe.header) || view.getUint32(at, true) !== Pe.magic) return undefined;
  const first = at + Pe.header + view.getUint16(at + Pe.optional, true);
  const sections = Array.from({ length: view.getUint16(at + Pe.sections, true) }, (_, index) => first + index * Pe.section);
  const ends = sections.filter((section) => fits(section, Pe.section))
    .map((section) => view.getUint32(section + Pe.rawAt, true) + view.getUint32(section + Pe.rawSize, true));
  return Math.max(0, ...ends);
}

/** Bytes of a page of the kernel, by bits 2:1 of its flags; undefined if it does not say. */
function pageSizeOf({ flags }: ImageHeader): number | undefined {
  return [undefined, 4 * KiB, 16 * KiB, 64 * KiB][Number(flags >> 1n & 3n)];
}

/** @throws UserError if a kernel is big-endian, or built for pages that the CPU does not have */
export function checkKernel(header: ImageHeader, plan: CpuPlan | undefined): void {
  if (header.flags & BIG_ENDIAN) {
    throw new UserError(
      "this kernel is big-endian (bit 0 of its flags), and el2 has little-endian CPUs",
      "use a little-endian build of it",
    );
  }
  const pages = pageSizeOf(header), cpu = cpuOfPlan(plan), sizes = pageSizesOf(cpu);
  if (pages === undefined || sizes.includes(pages)) return;
  const has = `the CPU "${cpu.name}" has only ${sizes.map(formatSize).join(", ")} (ID_AA64MMFR0_EL1)`;
  const way = `use another build of it, or a CPU that has them, with --cpu or [machine] cpu: ${cpusWithPages(pages).join(", ")}`;
  throw new UserError(`this kernel has pages of ${formatSize(pages)}, ${has}`, way);
}

/** How an Image was wrapped. */
type Container = "raw" | "gzip" | `zboot/${string}`;

/** An Image with its header. */
export interface Unwrapped {
  readonly image: Uint8Array;
  readonly header: ImageHeader;
  readonly container: Container;
}

/** Limit on an Image when the memory for it is not known. */
const IMAGE_MAX = GiB;

/** Whether `bytes` are an Image, or begin like a container of one. */
export function isKernel(bytes: Uint8Array): boolean {
  return imageHeader(bytes) !== undefined || isGzip(bytes) || isZboot(bytes);
}

const isGzip = (bytes: Uint8Array) => bytes[0] === 0x1f && bytes[1] === 0x8b;
const isZboot = (bytes: Uint8Array) => latin1(bytes, Zboot.magic, Zboot.magic + 4) === "zimg";

/**
 * The Image inside `bytes`, which is an Image, a gzip of one, or an EFI zboot file with gzip or
 * zstd payload.
 * @param most bytes of memory for it
 * @throws Error that names the format when the bytes contain no Image.
 */
export function unwrapImage(bytes: Uint8Array, most = IMAGE_MAX): Unwrapped {
  const raw = imageHeader(bytes);
  if (raw) return { image: bytes, header: raw, container: "raw" };
  if (isGzip(bytes)) return unwrapped(inflate(bytes, "gzip", most), "gzip");
  if (isZboot(bytes)) {
    if (bytes.length < Zboot.compressionEnd) throw new Error("EFI zboot image is truncated in its header");
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const offset = view.getUint32(Zboot.payloadOffset, true);
    const size = view.getUint32(Zboot.payloadSize, true);
    if (offset + size > bytes.length) {
      throw new Error(`EFI zboot image is truncated: payload ends at ${offset + size} of ${bytes.length} bytes`);
    }
    const compression = latin1(bytes, Zboot.compression, Zboot.compressionEnd).replace(/\0.*$/s, "");
    const container: Container = `zboot/${compression}`;
    return unwrapped(inflate(bytes.subarray(offset, offset + size), compression, most), container);
  }
  const own = ownFile(bytes);
  if (own) throw new UserError(own);
  const isNot = "not an arm64 Linux Image (no ARM64 magic at offset 56), nor a gzip or EFI zboot container of one";
  throw new UserError(isNot, "name code without a header as image of [host] or [vm]");
}

/** @throws Error if it becomes larger than `most`, is cut off, or something follows it. */
function inflate(payload: Uint8Array, compression: string, most: number): Uint8Array {
  const limit = { maxOutputLength: most };
  try {
    switch (compression) {
      case "gzip":
        return new Uint8Array(node.zlib.gunzipSync(withoutSize(payload), limit));
      case "zstd":
      case "zstd22":
        return new Uint8Array(node.zlib.zstdDecompressSync(payload, limit));
    }
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "ERR_BUFFER_TOO_LARGE") {
      throw new Error(`the ${compression} image unpacks to more than ${formatSize(most)}, the memory for it`);
    }
    if (code === "Z_BUF_ERROR") throw new Error(`the ${compression} image is cut off`);
    if (!(error instanceof Error)) throw error;
    throw new UserError(problemOf(error, `the ${compression} image is damaged`));
  }
  throw new UserError(`EFI zboot image is compressed with ${compression}`, "gzip and zstd can be unpacked");
}

const SIZE_BYTES = 4;

/** A gzip stream without the size that some zboot files have after it, as they do after zstd. */
function withoutSize(payload: Uint8Array): Uint8Array {
  if (payload.length < 2 * SIZE_BYTES) return payload;
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  const size = (end: number) => view.getUint32(payload.length - end, true);
  return size(SIZE_BYTES) === size(2 * SIZE_BYTES) ? payload.subarray(0, -SIZE_BYTES) : payload;
}

function unwrapped(image: Uint8Array, container: Container): Unwrapped {
  const header = imageHeader(image);
  if (!header) throw new Error(`the ${container} container holds no arm64 Image`);
  return { image, header, container };
}

export function latin1(bytes: Uint8Array, start: number, end: number): string {
  return String.fromCharCode(...bytes.subarray(start, end));
}
