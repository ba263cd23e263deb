// Disk images of QEMU (qcow2, versions 2 and 3), read as a whole: their clusters, unpacked. The
// format is QEMU's docs/interop/qcow2.txt.

import { zstdFrameEnd } from "./zstd.ts";
import { MiB } from "../support/values/sizes.ts";
import { formatSize } from "../support/text/units.ts";
import { node } from "../support/node-modules.ts";

export const MAGIC = 0x514649fb;
/** Bytes of the header of version 2, and up to the compression type of version 3. */
const HEADER_2 = 72;
export const HEADER_3 = 104;
/** Refcounts of 16 bits, which all are that are written: their size in bits, as a power of two. */
export const REFCOUNT_ORDER = 4;
/** Bits of incompatible features: dirty, corrupt, external data file, compression type. */
export const DIRTY = 1n << 0n;
const CORRUPT = 1n << 1n, COMPRESSION = 1n << 3n;
/** Sizes of clusters, as powers of two. */
const LEAST_CLUSTER = 9, MOST_CLUSTER = 21;
/** The host offset in an entry of a table, and its flags. */
export const OFFSET = 0x00ff_ffff_ffff_fe00n, COMPRESSED = 1n << 62n, ZERO = 1n;
/** The flag of an entry that leads to a cluster which nothing else uses. */
export const COPIED = 1n << 63n;
const SECTOR = 512;
/** Fewest bytes of a compressed cluster. */
const PACKED_LEAST = 4;
/** Largest disk that is unpacked, and largest table of the first level, as QEMU has it. */
const DISK_MAX = 2 ** 41, L1_MAX = 32 * MiB;

const USED_TWICE = "has clusters that are used twice; repair it with qemu-img check -r all";

/** Reads bytes of a file: fewer at its end. */
type ReadAt = (offset: number, size: number) => Uint8Array;

/** The image cannot be read; the message says why. */
export class BadQcow2 extends Error {}

/** The parts of a header that matter. */
export interface Qcow2Header {
  readonly version: number;
  readonly clusterBits: number;
  /** Bytes of the disk. */
  readonly size: number;
  readonly l1: { readonly offset: number; readonly entries: number };
  readonly compression: "zlib" | "zstd";
  /** Offset of the table of refcounts. */
  readonly refcountTable: number;
  /** Bytes of the file that an entry of a compressed cluster names; they end in whole sectors. */
  compressedAt(entry: bigint): { readonly offset: number; readonly size: number };
}

/** Whether bytes begin a qcow2 image. */
export function isQcow2(head: Uint8Array): boolean {
  return head.length >= 4 && viewOf(head).getUint32(0) === MAGIC;
}

/** A disk that is read from a qcow2 image. */
export class Qcow2 {
  readonly #header: Qcow2Header;

  /**
   * @param fileSize bytes of the image
   * @throws BadQcow2 if the header is damaged, or asks for what is not read
   */
  constructor(readonly readAt: ReadAt, readonly fileSize: number) {
    this.#header = headerOf(readAt(0, HEADER_3 + 8));
  }

  /** Bytes of the disk. */
  get size(): number {
    return this.#header.size;
  }

  /**
   * The clusters that hold data, in order; all others read as zeros.
   * @throws BadQcow2 if a table or a cluster lies outside of the file, or is damaged
   */
  *clusters(): Generator<readonly [at: number, bytes: Uint8Array]> {
    const { clusterBits, size, l1 } = this.#header;
    const cluster = 2 ** clusterBits, perTable = cluster / 8;
    const table = this.#table(l1.offset, l1.entries);
    // Each has its place in the file. An image that names one place many times would unpack without
    // an end.
    let most = Math.ceil(this.fileSize / cluster), packed = 0;
    for (let first = 0; first < l1.entries; first++) {
      const offset = Number(table.getBigUint64(first * 8) & OFFSET);
      if (offset === 0) continue;
      if (most-- === 0) throw new BadQcow2(USED_TWICE);
      const entries = this.#table(offset, perTable);
      for (let index = 0; index < perTable; index++) {
        const at = (first * perTable + index) * cluster;
        if (at >= size) break;
        const entry = entries.getBigUint64(index * 8);
        const bytes = clusterOf(this.#header, this.readAt, entry, at);
        if (!bytes) continue;
        const overused = entry & COMPRESSED ? ++packed * PACKED_LEAST > this.fileSize : most-- === 0;
        if (overused) throw new BadQcow2(USED_TWICE);
        yield [at, bytes.subarray(0, Math.min(cluster, size - at))];
      }
    }
  }

  #table(offset: number, entries: number): DataView {
    const bytes = this.readAt(offset, entries * 8);
    if (bytes.length < entries * 8) throw new BadQcow2(`a table at ${offset} lies outside of the file`);
    return viewOf(bytes);
  }
}

/**
 * The cluster of an entry, of the disk's bytes from `at` on; undefined if it is all zeros.
 * @throws BadQcow2
 */
function clusterOf(header: Qcow2Header, readAt: ReadAt, entry: bigint, at: number): Uint8Array | undefined {
  const cluster = 2 ** header.clusterBits;
  if (entry & COMPRESSED) return unpackedCluster(header, readAt, entry, at);
  const offset = Number(entry & OFFSET);
  if (offset === 0 || entry & ZERO) return undefined;
  checkAligned(offset, cluster, at);
  const bytes = readAt(offset, cluster);
  // The last cluster of a file may be short: the rest was never written.
  if (bytes.length === 0) throw new BadQcow2(`the cluster of byte ${at} lies outside of the file`);
  if (bytes.length === cluster) return bytes;
  const whole = new Uint8Array(cluster);
  whole.set(bytes);
  return whole;
}

/** @throws BadQcow2 if a place in the file is not that of a cluster */
export function checkAligned(offset: number, cluster: number, at: number): void {
  if (offset % cluster) throw new BadQcow2(`the cluster of byte ${at} has no place of a cluster`);
}

export function unpackedCluster(header: Qcow2Header, readAt: ReadAt, entry: bigint, at: number): Uint8Array {
  const cluster = 2 ** header.clusterBits, { offset, size } = header.compressedAt(entry);
  const packed = readAt(offset, size);
  try {
    const limit = { maxOutputLength: cluster };
    // The data ends somewhere in its last sector.
    const bytes = header.compression === "zstd"
      ? node.zlib.zstdDecompressSync(packed.subarray(0, zstdFrameEnd((at, size) => packed.subarray(at, at + size), 0)), limit)
      : node.zlib.inflateRawSync(packed, { ...limit, finishFlush: node.zlib.constants.Z_SYNC_FLUSH });
    if (bytes.length === cluster) return new Uint8Array(bytes);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
  }
  throw new BadQcow2(`the compressed cluster of byte ${at} is damaged`);
}

/** @throws BadQcow2 if the header is damaged, or asks for what is not read */
export function headerOf(bytes: Uint8Array): Qcow2Header {
  if (!isQcow2(bytes) || bytes.length < HEADER_2) throw new BadQcow2("is not a qcow2 image, or is truncated in its header");
  const view = viewOf(bytes);
  const version = view.getUint32(4), clusterBits = view.getUint32(20);
  if (version !== 2 && version !== 3) throw new BadQcow2(`has version ${version} of qcow2; 2 and 3 can be read`);
  if (version === 3 && bytes.length < HEADER_3) throw new BadQcow2("is truncated in its header");
  if (view.getBigUint64(8) !== 0n) throw new BadQcow2("has a backing file; make a whole image with qemu-img convert");
  if (view.getUint32(32) !== 0) throw new BadQcow2("is encrypted");
  if (clusterBits < LEAST_CLUSTER || clusterBits > MOST_CLUSTER) throw new BadQcow2(`has clusters of 2^${clusterBits} bytes`);
  const features = version === 3 ? view.getBigUint64(72) : 0n;
  if (features & CORRUPT) throw new BadQcow2("is marked as damaged; repair it with qemu-img check -r all");
  const unknown = features & ~(DIRTY | CORRUPT | COMPRESSION);
  if (unknown) throw new BadQcow2(`needs features that cannot be read (0x${unknown.toString(16)})`);
  const type = features & COMPRESSION ? bytes[HEADER_3] : 0;
  if (type !== 0 && type !== 1) throw new BadQcow2(`has compression ${type}; zlib and zstd can be read`);
  const size = view.getBigUint64(24);
  if (size > BigInt(DISK_MAX)) throw new BadQcow2(`is a disk of more than ${formatSize(DISK_MAX)}`);
  const covered = 2 ** (2 * clusterBits - 3), entries = view.getUint32(36);
  if (entries < Math.ceil(Number(size) / covered)) throw new BadQcow2("has a table that does not cover its disk");
  if (entries * 8 > L1_MAX) throw new BadQcow2(`has a table of more than ${formatSize(L1_MAX)}`);
  return {
    version,
    clusterBits,
    size: Number(size),
    l1: { offset: Number(view.getBigUint64(40) & OFFSET), entries: Math.ceil(Number(size) / covered) },
    compression: type === 1 ? "zstd" : "zlib",
    refcountTable: Number(view.getBigUint64(48)),
    compressedAt(entry) {
      const bits = BigInt(62 - (clusterBits - 8));
      const offset = Number(entry & (1n << bits) - 1n);
      const sectors = Number(entry >> bits & (1n << BigInt(clusterBits - 8)) - 1n) + 1;
      return { offset, size: sectors * SECTOR - offset % SECTOR };
    },
  };
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
