// Files of guests that users add: a path, or a URL with its checksum; compressed or not. Disks
// become raw images with holes.

import { createReadStream } from "node:fs";
import { pipeline } from "node:stream";
import zlib from "node:zlib";
import { unxz } from "./xz.ts";
import { sizeAt, transfer, type TransferProgress } from "./transfer.ts";
import { imageBytes } from "../formats/image-bytes.ts";
import { isWholeZstd } from "../formats/zstd.ts";
import { isQcow2, Qcow2 } from "../formats/qcow2.ts";
import { cacheFolder } from "../support/cache.ts";
import { GiB, KiB } from "../support/sizes.ts";
import { formatSize } from "../support/units.ts";

/** Most bytes of an added disk, and of a kernel. */
const DISK_MAX = 64 * GiB, IMAGE_MAX = GiB;
/** Size of a piece that becomes a hole if it is all zero. */
const HOLE = 64 * KiB;
/** Bytes that are read at a time to find the end of frames. */
const WINDOW = 64 * KiB;
/** First bytes of compressed files. */
const MAGICS = {
  gz: [0x1f, 0x8b],
  xz: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00],
  zst: [0x28, 0xb5, 0x2f, 0xfd],
} as const;
type Packing = keyof typeof MAGICS;

/** Whether a name is a URL. */
export const isUrl = (named: string): boolean => /^https?:\/\//i.test(named);

/**
 * Gets a URL of the form `URL#sha256=HEX` into the cache, and returns the path. A transfer that
 * breaks continues, also in a later run.
 * @throws Error if the checksum is missing or differs, or the server does not answer
 */
export async function fetchUrl(named: string, progress?: TransferProgress): Promise<string> {
  const [, url, digits] = /^([^#]*)#sha256=([0-9a-f]{64})$/i.exec(named) ?? [];
  if (url === undefined) throw new Error(`${named}: a URL needs its checksum; write URL#sha256=HEX`);
  const sha256 = digits.toLowerCase(), folder = `${cacheFolder()}/downloads`;
  await Deno.mkdir(folder, { recursive: true, mode: 0o700 });
  const path = `${folder}/${sha256}`;
  await transfer(url, path, { size: await sizeAt(url, DISK_MAX), sha256, by: "its checksum says" }, progress);
  return path;
}

/**
 * An image or ramdisk without xz or zstd around it: gzip stays, as Linux and el2 unpack it.
 * @throws Error if it is damaged or too large
 */
export async function unpackedImage(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  const packing = packingOf(bytes);
  if (packing === undefined || packing === "gz") return bytes;
  if (packing === "zst") checkWhole((offset, length) => bytes.subarray(offset, offset + length));
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  for await (const piece of unpacked(packing, onePiece(bytes))) {
    size += piece.length;
    if (size > IMAGE_MAX) throw new Error(`unpacks to more than ${formatSize(IMAGE_MAX)}`);
    pieces.push(piece.slice());
  }
  return new Uint8Array(await new Blob(pieces).arrayBuffer());
}

/**
 * Writes a disk image as a raw image into the cache, and returns its path: raw or qcow2, also
 * compressed with gzip, xz or zstd.
 * @throws Error if it is damaged or too large
 */
export async function rawDisk(path: string): Promise<string> {
  const folder = `${cacheFolder()}/downloads`;
  await Deno.mkdir(folder, { recursive: true, mode: 0o700 });
  const plain = `${folder}/${crypto.randomUUID()}`, raw = `${folder}/${crypto.randomUUID()}.raw`;
  try {
    using source = await Deno.open(path);
    const packing = packingOf(imageBytes(source).read(0, 8));
    let unpackedPath = path;
    if (packing === "zst") checkWhole(imageBytes(source).read);
    if (packing) {
      using whole = new HoledFile(plain);
      for await (const piece of unpacked(packing, createReadStream(path))) whole.append(piece);
      whole.end();
      unpackedPath = plain;
    }
    using file = await Deno.open(unpackedPath);
    using disk = new HoledFile(raw);
    const { read } = imageBytes(file);
    if (isQcow2(read(0, 4))) {
      const image = new Qcow2(read, file.statSync().size);
      if (image.size > DISK_MAX) throw new Error(`is a disk of more than ${formatSize(DISK_MAX)}`);
      for (const [at, bytes] of image.clusters()) disk.put(at, bytes);
      disk.end(image.size);
    } else {
      file.seekSync(0, Deno.SeekMode.Start);
      for await (const piece of file.readable) disk.append(piece);
      disk.end();
    }
    return raw;
  } catch (error) {
    await Deno.remove(raw).catch(unlessMissing);
    throw error;
  } finally {
    await Deno.remove(plain).catch(unlessMissing);
  }
}

function packingOf(head: Uint8Array): Packing | undefined {
  const names = Object.keys(MAGICS) as Packing[];
  return names.find((name) => MAGICS[name].every((byte, at) => head[at] === byte));
}

async function* onePiece(bytes: Uint8Array<ArrayBuffer>): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  yield bytes;
}

/** @throws Error if zstd data is truncated, which its decompressor does not notice */
function checkWhole(read: (offset: number, size: number) => Uint8Array): void {
  // Frames are read in steps of a few bytes.
  let start = 0, window = new Uint8Array();
  const within = (offset: number, size: number) => {
    if (offset < start || offset + size > start + window.length) {
      [start, window] = [offset, new Uint8Array(read(offset, Math.max(size, WINDOW)))];
    }
    return window.subarray(offset - start, offset - start + size);
  };
  if (!isWholeZstd(within)) throw new Error("the zstd data is truncated or damaged");
}

/** @throws Error if the data is damaged or, with gzip and xz, truncated */
function unpacked(packing: Packing, packed: AsyncIterable<Uint8Array<ArrayBuffer>>): AsyncIterable<Uint8Array> {
  if (packing === "xz") return unxz(packed);
  const unpacker = packing === "gz" ? zlib.createGunzip() : zlib.createZstdDecompress();
  // The reader gets the errors of both streams.
  return pipeline(packed, unpacker, () => {});
}

/** A file whose zeros are holes. */
class HoledFile implements Disposable {
  readonly #file: Deno.FsFile;
  #end = 0;

  constructor(path: string) {
    this.#file = Deno.openSync(path, { write: true, createNew: true, mode: 0o600 });
  }

  append(bytes: Uint8Array): void {
    this.put(this.#end, bytes);
  }

  put(at: number, bytes: Uint8Array): void {
    if (at + bytes.length > DISK_MAX) throw new Error(`unpacks to more than ${formatSize(DISK_MAX)}`);
    for (let from = 0; from < bytes.length; from += HOLE) {
      const piece = bytes.subarray(from, from + HOLE);
      if (piece.every((byte) => byte === 0)) continue;
      this.#file.seekSync(at + from, Deno.SeekMode.Start);
      for (let done = 0; done < piece.length;) done += this.#file.writeSync(piece.subarray(done));
    }
    this.#end = at + bytes.length;
  }

  /** Gives the file its size. */
  end(size = this.#end): void {
    this.#file.truncateSync(size);
  }

  [Symbol.dispose](): void {
    this.#file.close();
  }
}

function unlessMissing(error: unknown): void {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}
