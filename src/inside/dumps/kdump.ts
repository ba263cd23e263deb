// Compressed dumps of kdump (makedumpfile, and QEMU's kdump-zlib): a header, notes, two bitmaps
// (pages that there are, and those that are in the file), then a description of each page
// (makedumpfile: IMPLEMENTATION; crash: diskdump.h). Pages are packed each by itself.

import { INFO_MAX, readNotes, textOf } from "./elf-core.ts";
import { ADDRESS_END, DumpError, type DumpSource, type FileMemory, type MemoryRun, RUNS_MAX, viewOf } from "./file-memory.ts";
import { unpackSnappy } from "./snappy.ts";
import { unpackLzo } from "../../kit/formats/lzo.ts";
import { PackedError } from "../../kit/formats/unpacking.ts";
import { begins, DumpStart } from "../../kit/support/files/written-files.ts";
import { node } from "../../kit/support/node-modules.ts";
import { KiB, MiB, PAGE_SIZE } from "../../kit/support/values/sizes.ts";

/** Fields of the header, and of the one after it. */
const Header = { version: 8, block: 428, sub: 432, bitmap: 436, pages: 440, size: 464 } as const;
const Sub = {
  split: 12,
  start: 16,
  end: 24,
  info: 32,
  infoSize: 40,
  note: 48,
  noteSize: 56,
  start64: 80,
  end64: 88,
  pages64: 96,
  size: 104,
} as const;
/** Versions that have notes, and page numbers of 64 bits. */
const NOTES_VERSION = 4, WIDE_VERSION = 6;
const DESCRIPTION = 24;
const Packed = { zlib: 1, lzo: 2, snappy: 4, zstd: 0x20 } as const;
/** Bytes of a page, and of one bitmap: for 512 GiB with pages of 4 KiB. */
const BLOCKS = [4, 16, 64].map((size) => size * KiB), BITMAP_MAX = 16 * MiB;
/** Bits of a bitmap of which the number of pages before is kept. */
const GROUP = 4096;
/** Bytes that the chunk of an unpacked page is longer: after a full chunk there is another. */
const CHUNK_MORE = 64;
/** Pages that are kept unpacked: small ones lie in large ones. */
const KEPT = 64;

/** Whether a file begins so. */
export const isKdump = (beginning: Uint8Array): boolean => begins(beginning, DumpStart.kdump);

/** @throws DumpError */
export function readKdump(source: DumpSource): FileMemory {
  const header = viewOf(source, 0, Header.size),
    block = header.getInt32(Header.block, true),
    version = header.getInt32(Header.version, true);
  if (!BLOCKS.includes(block)) throw new DumpError(`${source.name}: byte ${Header.block}: pages of ${block} bytes, not of 4, 16 or 64 KiB`);
  const subBlocks = header.getInt32(Header.sub, true), bitmapBlocks = header.getUint32(Header.bitmap, true);
  if (subBlocks < 1 || subBlocks * block > MiB * 64) {
    throw new DumpError(`${source.name}: byte ${Header.sub}: a header of ${subBlocks} blocks`);
  }
  const sub = viewOf(source, block, Sub.size),
    number = (at: number) => Number(sub.getBigUint64(at, true)),
    isWide = version >= WIDE_VERSION;
  const half = Math.floor(bitmapBlocks / 2) * block, bitmaps = (1 + subBlocks) * block;
  if (half === 0 || half > BITMAP_MAX) {
    throw new DumpError(`${source.name}: byte ${Header.bitmap}: bitmaps of ${half} bytes`, `at most ${BITMAP_MAX} are read`);
  }
  const last = isWide ? number(Sub.pages64) : header.getUint32(Header.pages, true), pages = Math.min(last, 8 * half, ADDRESS_END / block);
  const there = viewOf(source, bitmaps, half), packed = viewOf(source, bitmaps + half, half);
  const split = sub.getInt32(Sub.split, true) !== 0;
  const [first, end] = split ? [number(isWide ? Sub.start64 : Sub.start), number(isWide ? Sub.end64 : Sub.end)] : [0, pages];
  const table = bitmaps + bitmapBlocks * block, descriptions = new Descriptions(source, table, packed, first, Math.min(end, pages));
  const info = number(Sub.infoSize),
    notes = version >= NOTES_VERSION
      ? readNotes(source, [{ address: 0, offset: number(Sub.note), size: number(Sub.noteSize) }])
      : undefined;
  const blocks = new UnpackedBlocks(source, block, descriptions);
  return {
    form: "compressed dump (kdump)",
    runs: runsOf(source, there, first, Math.min(end, pages), block),
    read: (address, into) => blocks.read(address, into),
    cpus: notes?.cpus ?? [],
    info: notes?.info ?? (info > 0 && info <= INFO_MAX ? textOf(viewOf(source, number(Sub.info), info), 0, info) : undefined),
    missing: 0,
  };
}

/** Bits that are set in a byte. */
const ONES = Uint8Array.from({ length: 256 }, (_, byte) => byte.toString(2).replaceAll("0", "").length);
/** Bytes of a bitmap that have no end of a run. */
const NONE = 0, ALL = 0xff;

const hasBit = (bits: DataView, index: number): boolean => (bits.getUint8(index >>> 3) >>> (index & 7) & 1) === 1;

/** Memory that there is, by its bitmap. */
function runsOf(source: DumpSource, bits: DataView, first: number, end: number, block: number): MemoryRun[] {
  const runs: MemoryRun[] = [];
  let start = -1;
  for (let index = first; index <= end; index++) {
    if (index % 8 === 0 && index + 8 <= end && bits.getUint8(index / 8) === (start < 0 ? NONE : ALL)) {
      index += 7;
      continue;
    }
    const isThere = index < end && hasBit(bits, index);
    if (isThere === start >= 0) continue;
    if (isThere) start = index;
    else {
      if (runs.push({ address: start * block, size: (index - start) * block }) > RUNS_MAX) {
        throw new DumpError(`${source.name}: more than ${RUNS_MAX} runs of memory`);
      }
      start = -1;
    }
  }
  return runs;
}

/** Where each page is in the file: descriptions of those that it has, in order. */
class Descriptions {
  /** Pages of the file before each group of bits. */
  readonly #before: Uint32Array;
  readonly #description = new Uint8Array(DESCRIPTION);

  constructor(readonly source: DumpSource, readonly table: number, readonly bits: DataView, readonly first: number, readonly end: number) {
    this.#before = new Uint32Array(Math.ceil(end / GROUP) + 1);
    for (let group = 0, count = 0; group < this.#before.length; group++) {
      this.#before[group] = count;
      count += this.#count(group * GROUP, Math.min((group + 1) * GROUP, end));
    }
  }

  #count(from: number, to: number): number {
    let count = 0;
    for (let index = Math.max(from, this.first); index < to;) {
      const isByte = index % 8 === 0 && index + 8 <= to;
      count += isByte ? ONES[this.bits.getUint8(index / 8)] : Number(hasBit(this.bits, index));
      index += isByte ? 8 : 1;
    }
    return count;
  }

  /** Undefined if the page was left out. It is valid until the next one. */
  of(page: number): DataView | undefined {
    if (page < this.first || page >= this.end || !hasBit(this.bits, page)) return undefined;
    const group = Math.floor(page / GROUP), before = this.#before[group] + this.#count(group * GROUP, page);
    return viewOf(this.source, this.table + DESCRIPTION * before, DESCRIPTION, this.#description);
  }
}

/**
 * Pages of the file. Large ones, in which several of the reader's lie, stay unpacked for a while. A
 * kernel's image has thousands: their buffers are used again, as garbage of such size is collected
 * late.
 */
class UnpackedBlocks {
  readonly #kept = new Map<number, Uint8Array>();
  readonly #packed: Uint8Array;

  constructor(readonly source: DumpSource, readonly block: number, readonly descriptions: Descriptions) {
    this.#packed = new Uint8Array(block);
  }

  read(address: number, into: Uint8Array): void {
    if (this.block === PAGE_SIZE) {
      for (let done = 0; done < into.length; done += PAGE_SIZE) {
        this.#fill((address + done) / PAGE_SIZE, into.subarray(done, done + PAGE_SIZE));
      }
      return;
    }
    for (let done = 0; done < into.length; done += PAGE_SIZE) {
      const at = address + done, inside = at % this.block;
      into.set(this.#page((at - inside) / this.block).subarray(inside, inside + PAGE_SIZE), done);
    }
  }

  #page(page: number): Uint8Array {
    const known = this.#kept.get(page);
    if (known) return known;
    const [oldest] = this.#kept.size < KEPT ? [] : this.#kept, bytes = oldest?.[1] ?? new Uint8Array(this.block);
    if (oldest) this.#kept.delete(oldest[0]);
    this.#fill(page, bytes);
    this.#kept.set(page, bytes);
    return bytes;
  }

  /** Pages that were left out are those of zeros, of programs and of caches: they read as zeros. */
  #fill(page: number, into: Uint8Array): void {
    const description = this.descriptions.of(page);
    if (description) this.#unpack(page, description, into);
    else into.fill(0);
  }

  #unpack(page: number, description: DataView, into: Uint8Array): void {
    const offset = Number(description.getBigUint64(0, true)),
      size = description.getUint32(8, true),
      flags = description.getUint32(12, true);
    const damaged = (what: string) => new DumpError(`${this.source.name}: byte ${offset}: page ${page}: ${what}`);
    if (size > this.block || offset + size > this.source.size) throw damaged(`${size} bytes, which the file does not have`);
    const packed = this.#packed.subarray(0, size), options = { maxOutputLength: this.block, chunkSize: this.block + CHUNK_MORE };
    this.source.read(offset, packed);
    try {
      if (flags & Packed.zlib) into.set(whole(node.zlib.inflateSync(packed, options), this.block));
      else if (flags & Packed.lzo) checkSize(unpackLzo(packed, into), this.block);
      else if (flags & Packed.zstd) into.set(whole(node.zlib.zstdDecompressSync(packed, options), this.block));
      else if (flags & Packed.snappy) checkSize(unpackSnappy(packed, into), this.block);
      else if (size !== this.block) throw new PackedError(`${size} bytes that are not packed`);
      else into.set(packed);
    } catch (error) {
      // Those of zlib have a code, those of zstd have not.
      if (error instanceof PackedError || error instanceof Error && ("code" in error || error.constructor === Error)) {
        throw damaged(`cannot be unpacked: ${error.message}`);
      }
      throw error;
    }
  }
}

function whole(bytes: Uint8Array, size: number): Uint8Array {
  checkSize(bytes.length, size);
  return bytes;
}

function checkSize(length: number, size: number): void {
  if (length !== size) throw new PackedError(`${length} bytes, not ${size}`);
}
