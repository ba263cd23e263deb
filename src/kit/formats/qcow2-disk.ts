// A disk whose bytes are in a qcow2 image (versions 2 and 3): read anywhere, and written in place.
// Clusters are written before the tables that lead to them, so that an end at any moment leaves at
// most clusters that nobody uses. The format is QEMU's docs/interop/qcow2.txt.

import {
  BadQcow2,
  checkAligned,
  COMPRESSED,
  COPIED,
  DIRTY,
  HEADER_3,
  headerOf,
  OFFSET,
  type Qcow2Header,
  REFCOUNT_ORDER,
  unpackedCluster,
  ZERO,
} from "./qcow2.ts";
import { qcow2Head } from "./qcow2-writer.ts";
import { MiB } from "../support/values/sizes.ts";
import { formatSize } from "../support/text/units.ts";

/** Bytes of the tables of the second level that are kept. */
const TABLES = 16 * MiB;
/** Largest table of refcounts, as QEMU has it. */
const REFCOUNTS_MAX = 8 * MiB;

export interface ImageBytes {
  /** Reads bytes: fewer at the end. */
  read(offset: number, size: number): Uint8Array;
  write(offset: number, bytes: Uint8Array): void;
  /** Returns when all earlier writes are safe. */
  flush(): void;
  /** Bytes of the file. */
  size(): number;
}

/**
 * Writes an empty disk.
 * @param size bytes of the disk, a multiple of 512
 */
export function createQcow2(file: ImageBytes, size: number): void {
  file.write(0, qcow2Head({ size, clusters: [] }));
}

export class Qcow2Disk {
  readonly #header: Qcow2Header;
  readonly #cluster: number;
  /** Entries of a table of the second level. */
  readonly #perTable: number;
  readonly #l1: BigUint64Array;
  /** Tables of the second level by their number, as they are in the file. */
  readonly #tables = new Map<number, DataView>();
  /** Offsets of the blocks of refcounts. */
  readonly #refcounts: BigUint64Array;
  /** Clusters of the file that can be used again, and those once the tables are safe. */
  readonly #free = new ClusterRuns();
  readonly #freed = new ClusterRuns();
  /** The cluster after the last one of the file. */
  #end: number;
  /** The compressed cluster that was read last. */
  #unpacked: { readonly entry: bigint; readonly bytes: Uint8Array } | undefined;

  /**
   * @throws BadQcow2 if the image is damaged, or has what is not read or, unless `readOnly`, not
   *   written
   */
  constructor(readonly file: ImageBytes, readonly readOnly: boolean) {
    const bytes = file.read(0, HEADER_3 + 8), header = this.#header = headerOf(bytes);
    this.#cluster = 2 ** header.clusterBits;
    this.#perTable = this.#cluster / 8;
    this.#l1 = this.#longs(header.l1.offset, header.l1.entries);
    this.#end = Math.ceil(file.size() / this.#cluster);
    this.#refcounts = readOnly ? new BigUint64Array() : this.#writable(bytes);
  }

  /** Bytes of the disk. */
  get size(): number {
    return this.#header.size;
  }

  /** Whether the file can be written, and where its refcounts are. */
  #writable(bytes: Uint8Array): BigUint64Array {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), { version } = this.#header;
    if (view.getUint32(60) !== 0) throw new BadQcow2('has internal snapshots; open it with mode "ro" or "overlay"');
    if (version === 3 && view.getUint32(96) !== REFCOUNT_ORDER) {
      throw new BadQcow2("has refcounts that are not of 16 bits; open it read-only");
    }
    if (version === 3 && view.getBigUint64(72) & DIRTY) throw new BadQcow2("was not closed in order; repair it with qemu-img check -r all");
    const clusters = view.getUint32(56);
    if (clusters * this.#cluster > REFCOUNTS_MAX) throw new BadQcow2(`has a table of refcounts of more than ${formatSize(REFCOUNTS_MAX)}`);
    const table = this.#longs(this.#header.refcountTable, clusters * this.#perTable);
    // Every cluster of the disk may get a place, and every table.
    const most = (this.size / this.#cluster + table.length) * 1.02 + this.#end;
    if (table.length * (this.#cluster / 2) < most) {
      throw new BadQcow2('has too few refcounts for its disk; convert it with guests add, or open it with mode "overlay"');
    }
    if (this.#l1.some((entry) => (entry & OFFSET) !== 0n && !(entry & COPIED))) {
      throw new BadQcow2("has a table that is used twice; repair it with qemu-img check -r all");
    }
    // Bitmaps and the like are no longer true once the disk is written.
    if (version === 3 && view.getBigUint64(88) !== 0n) this.file.write(88, new Uint8Array(8));
    return table;
  }

  /** Numbers of 64 bits of the file, which are big-endian. */
  #longs(offset: number, count: number): BigUint64Array {
    const bytes = this.file.read(offset, count * 8);
    if (bytes.length < count * 8) throw new BadQcow2(`a table at ${offset} lies outside of the file`);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return BigUint64Array.from({ length: count }, (_, index) => view.getBigUint64(index * 8));
  }

  read(offset: number, into: Uint8Array): void {
    this.#pieces(offset, into.length, (number, within, at, size) => {
      this.#readCluster(this.#entry(number), number, within, into.subarray(at, at + size));
    });
  }

  #unpack(entry: bigint, number: number): Uint8Array {
    const bytes = unpackedCluster(this.#header, (offset, size) => this.file.read(offset, size), entry, number * this.#cluster);
    this.#unpacked = { entry, bytes };
    return bytes;
  }

  #readCluster(entry: bigint, number: number, within: number, into: Uint8Array): void {
    if (entry & COMPRESSED) {
      const bytes = this.#unpacked?.entry === entry ? this.#unpacked.bytes : this.#unpack(entry, number);
      return into.set(bytes.subarray(within, within + into.length));
    }
    const at = Number(entry & OFFSET);
    if (at === 0 || entry & ZERO) return void into.fill(0);
    checkAligned(at, this.#cluster, number * this.#cluster);
    const bytes = this.file.read(at + within, into.length);
    into.set(bytes);
    // The rest of a short last cluster was never written.
    into.fill(0, bytes.length);
  }

  write(offset: number, from: Uint8Array): void {
    this.#pieces(offset, from.length, (number, within, at, size) => {
      const entry = this.#entry(number), piece = from.subarray(at, at + size);
      if (entry & COPIED && !(entry & (COMPRESSED | ZERO))) {
        const place = Number(entry & OFFSET);
        checkAligned(place, this.#cluster, offset + at);
        // An entry of a damaged image may lead anywhere.
        if (place / this.#cluster >= this.#end) throw new BadQcow2(`the cluster of byte ${offset + at} lies outside of the file`);
        return this.file.write(place + within, piece);
      }
      const whole = new Uint8Array(this.#cluster);
      if (size < this.#cluster) this.#readCluster(entry, number, 0, whole);
      whole.set(piece, within);
      const place = this.#allocate();
      this.file.write(place * this.#cluster, whole);
      this.#setEntry(number, BigInt(place * this.#cluster) | COPIED);
      this.#release(entry);
    });
  }

  /** The bytes are zero from now on; whole clusters are given back. */
  zero(offset: number, length: number): void {
    this.#pieces(offset, length, (number, within, _at, size) => {
      const entry = this.#entry(number);
      if (entry === 0n) return;
      // The last cluster of the disk may be shorter than the others.
      const all = size === this.#cluster || within === 0 && number * this.#cluster + size === this.size;
      if (!all) return this.write(number * this.#cluster + within, new Uint8Array(size));
      this.#setEntry(number, 0n);
      this.#release(entry);
    });
  }

  flush(): void {
    this.file.flush();
    this.#free.moveFrom(this.#freed);
  }

  #pieces(offset: number, length: number, one: (cluster: number, within: number, at: number, size: number) => void): void {
    for (let at = 0; at < length;) {
      const within = (offset + at) % this.#cluster, size = Math.min(this.#cluster - within, length - at);
      one(Math.floor((offset + at) / this.#cluster), within, at, size);
      at += size;
    }
  }

  // ---- tables of the second level ----

  #entry(number: number): bigint {
    return this.#table(Math.floor(number / this.#perTable))?.getBigUint64(number % this.#perTable * 8) ?? 0n;
  }

  #table(index: number): DataView | undefined {
    const kept = this.#tables.get(index);
    if (kept) return kept;
    const offset = Number(this.#l1[index] & OFFSET);
    if (offset === 0) return undefined;
    const bytes = this.file.read(offset, this.#cluster);
    if (bytes.length < this.#cluster) throw new BadQcow2(`a table at ${offset} lies outside of the file`);
    return this.#keep(index, bytes);
  }

  #keep(index: number, bytes: Uint8Array): DataView {
    if (this.#tables.size * this.#cluster >= TABLES) {
      const [oldest] = this.#tables.keys();
      this.#tables.delete(oldest);
    }
    const table = new DataView(bytes.slice().buffer);
    this.#tables.set(index, table);
    return table;
  }

  #setEntry(number: number, entry: bigint): void {
    const index = Math.floor(number / this.#perTable), at = number % this.#perTable * 8;
    let table = this.#table(index);
    if (!table) {
      const place = this.#allocate();
      this.file.write(place * this.#cluster, new Uint8Array(this.#cluster));
      this.#setLong(this.#header.l1.offset + index * 8, this.#l1[index] = BigInt(place * this.#cluster) | COPIED);
      table = this.#keep(index, new Uint8Array(this.#cluster));
    }
    table.setBigUint64(at, entry);
    this.#setLong(Number(this.#l1[index] & OFFSET) + at, entry);
  }

  #setLong(offset: number, value: bigint): void {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigUint64(0, value);
    this.file.write(offset, bytes);
  }

  // ---- refcounts ----

  /** A cluster of the file for new data; its content is to be written. */
  #allocate(): number {
    const free = this.#free.pop();
    const place = free ?? this.#end++;
    if (this.#refcountBlock(place) === undefined) {
      // The first cluster of each stretch has the refcounts of the stretch, its own included.
      const block = new Uint8Array(this.#cluster);
      const index = this.#stretch(place);
      new DataView(block.buffer).setUint16(place % (this.#cluster / 2) * 2, 1);
      this.file.write(place * this.#cluster, block);
      this.#refcounts[index] = BigInt(place * this.#cluster);
      this.#setLong(this.#header.refcountTable + index * 8, this.#refcounts[index]);
      return this.#allocate();
    }
    this.#setRefcount(place, 1);
    return place;
  }

  /** The clusters whose refcounts are in one block have one number. */
  #stretch(cluster: number): number {
    const index = Math.floor(cluster / (this.#cluster / 2));
    if (index >= this.#refcounts.length) throw new BadQcow2("has no refcounts left");
    return index;
  }

  /** Offset of the block with the refcount of a cluster; undefined if there is none yet. */
  #refcountBlock(cluster: number): number | undefined {
    return Number(this.#refcounts[this.#stretch(cluster)] & OFFSET) || undefined;
  }

  #setRefcount(cluster: number, count: number): void {
    const block = this.#refcountBlock(cluster);
    if (block === undefined) throw new BadQcow2(`has no refcount of cluster ${cluster}`);
    if (block / this.#cluster >= this.#end) throw new BadQcow2(`a block of refcounts at ${block} lies outside of the file`);
    this.file.write(block + cluster % (this.#cluster / 2) * 2, Uint8Array.of(count >> 8, count & 0xff));
  }

  #refcount(cluster: number): number {
    const block = this.#refcountBlock(cluster);
    if (block === undefined) return 0;
    const [high = 0, low = 0] = this.file.read(block + cluster % (this.#cluster / 2) * 2, 2);
    return high << 8 | low;
  }

  /** Gives back what an entry led to. */
  #release(entry: bigint): void {
    if (entry & COMPRESSED) {
      const { offset, size } = this.#header.compressedAt(entry);
      const last = Math.floor((offset + size - 1) / this.#cluster);
      for (let cluster = Math.floor(offset / this.#cluster); cluster <= last; cluster++) this.#drop(cluster);
    } else if (entry & OFFSET) this.#drop(Number(entry & OFFSET) / this.#cluster);
  }

  #drop(cluster: number): void {
    const count = this.#refcount(cluster) - 1;
    if (count < 0) throw new BadQcow2(`cluster ${cluster} is in use and has no refcount; repair it with qemu-img check -r all`);
    this.#setRefcount(cluster, count);
    if (count === 0) this.#freed.push(cluster);
  }
}

/** Clusters as runs of neighbors: a guest may discard millions that follow each other. */
class ClusterRuns {
  #runs: { first: number; last: number }[] = [];

  push(cluster: number): void {
    const run = this.#runs.at(-1);
    if (run && cluster === run.last + 1) run.last++;
    else this.#runs.push({ first: cluster, last: cluster });
  }

  /** One of them, which is no longer among them; undefined without any. */
  pop(): number | undefined {
    const run = this.#runs.at(-1);
    if (!run) return undefined;
    if (run.first === run.last) this.#runs.pop();
    return run.last--;
  }

  moveFrom(others: ClusterRuns): void {
    for (const run of others.#runs) this.#runs.push(run);
    others.#runs = [];
  }
}
