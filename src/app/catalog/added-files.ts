// Files of guests that users add: a path, or a URL with its checksum; compressed or not. Disks
// become raw images with holes.

import { unxz } from "./xz.ts";
import { ungzip, unzstd } from "./zlib.ts";
import { sizeAt, transfer, type TransferProgress } from "./transfer.ts";
import { imageBytes } from "../../kit/formats/image-bytes.ts";
import type { ReadAt } from "../../kit/formats/zstd.ts";
import { isQcow2, Qcow2 } from "../../kit/formats/qcow2.ts";
import { cacheFolder } from "../../kit/support/files/cache.ts";
import { writePart } from "../../kit/support/files/write-all.ts";
import { GiB, KiB } from "../../kit/support/values/sizes.ts";
import { formatSize } from "../../kit/support/text/units.ts";
import { UserError } from "../../kit/support/problem.ts";

/** Most bytes of an added disk, and of a kernel. */
const DISK_MAX = 64 * GiB, IMAGE_MAX = GiB;
/** Size of a piece that becomes a hole if it is all zero. */
const HOLE = 64 * KiB;
/** Bytes that are read at a time. */
const PIECE = 64 * KiB;
/** First bytes of compressed files. */
const MAGICS = {
  gz: [0x1f, 0x8b],
  xz: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00],
  zst: [0x28, 0xb5, 0x2f, 0xfd],
} as const;
type Packing = keyof typeof MAGICS;

export const isUrl = (named: string): boolean => /^https?:\/\//i.test(named);

/**
 * Gets a URL of the form `URL#sha256=HEX` into the cache, and returns the path. A transfer that
 * breaks continues, also in a later run.
 * @throws Error if the checksum is missing or differs, or the server does not answer
 */
export async function fetchUrl(named: string, progress?: TransferProgress): Promise<string> {
  const [, url, digits] = /^([^#]*)#sha256=([0-9a-f]{64})$/i.exec(named) ?? [];
  if (url === undefined) throw new UserError(`${named}: a URL needs its checksum`, "write URL#sha256=HEX");
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
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  for await (const piece of unpacked(packing, (offset, length) => bytes.subarray(offset, offset + length))) {
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
    if (packing) {
      using whole = new HoledFile(plain);
      for await (const piece of unpacked(packing, imageBytes(source).read)) whole.append(piece);
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

/** @throws Error if the data is damaged or truncated */
function unpacked(packing: Packing, readAt: ReadAt): AsyncIterable<Uint8Array> {
  switch (packing) {
    case "xz":
      return unxz(pieces(readAt));
    case "gz":
      return ungzip(pieces(readAt));
    case "zst":
      return unzstd(readAt);
  }
}

async function* pieces(readAt: ReadAt): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  for (let at = 0;;) {
    const piece = new Uint8Array(readAt(at, PIECE));
    if (piece.length === 0) return;
    yield piece;
    at += piece.length;
  }
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
      writePart(this.#file, at + from, piece);
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
